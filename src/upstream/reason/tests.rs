use super::*;

fn read(body: &str) -> Reason {
    Reason::read(StatusCode::UNPROCESSABLE_ENTITY, body.as_bytes(), Some(&"sk-0123456789".into()))
}

#[test]
fn a_sentence_is_found_in_the_shapes_that_servers_have() {
    for (body, message) in [
        (r#"{"error":{"message":"No.","type":"a","param":null,"code":null}}"#, Some("No.")),
        (r#"{"error":"No."}"#, Some("No.")),
        (r#"{"message":"No."}"#, Some("No.")),
        (r#"{"detail":"No."}"#, Some("No.")),
        (r#"{"detail":{"message":"No."}}"#, Some("No.")),
        (r#"{"detail":{"error":{"message":"No."}}}"#, Some("No.")),
        (
            r#"{"detail":[{"loc":["body","file"],"msg":"Field required","type":"missing"}]}"#,
            Some("body.file: Field required"),
        ),
        (
            r#"{"detail":[{"loc":["body","a",0],"msg":"No."},{"loc":["query"],"msg":"Nor this."}]}"#,
            Some("body.a.0: No.; query: Nor this."),
        ),
        (r#"{"detail":["No.","Never."]}"#, Some("No.; Never.")),
        (r#"{"errors":[{"message":"No."}]}"#, Some("No.")),
        (r#"{"type":"about:blank","title":"Bad","detail":"No."}"#, Some("No.")),
        (r#"{"error":"invalid_grant","error_description":"No."}"#, Some("invalid_grant")),
        (r#""No.""#, Some("No.")),
        ("No.\n", Some("No.")),
        ("line\nbreak\tand \u{7} bell", Some("line break and   bell")),
        ("<html>No.</html>", None),
        (r#"{"error":{"message":"No."#, None),
        (r#"{"error":{"message":7}}"#, None),
        (r#"{"error":{}}"#, None),
        (r#"{"detail":[]}"#, None),
        (r#"{"a":{"b":1}}"#, None),
        ("[1]", None),
        ("", None),
        (r#"{"detail":{"detail":{"detail":{"detail":{"detail":"deep"}}}}}"#, None),
    ] {
        assert_eq!(read(body).message.as_deref(), message, "{body}");
    }
}

#[test]
fn a_sentence_is_bounded_and_has_no_key_in_it() {
    assert_eq!(read(&"x".repeat(5000)).message.map(|text| text.len()), Some(MAX_MESSAGE_CHARS));
    let faults: Vec<_> = (0..50).map(|i| json!({ "loc": ["body", i], "msg": "x".repeat(600) })).collect();
    let long = read(&json!({ "detail": faults }).to_string()).message.unwrap();
    assert_eq!(long.chars().count(), MAX_MESSAGE_CHARS);
    for body in [
        "Wrong: sk-0123456789",
        r#"{"detail":"Wrong: sk-0123456789"}"#,
        r#"{"detail":[{"msg":"Wrong: \u0073k-0123456789"}]}"#,
        r#"{"error":{"message":"Wrong: sk-****6789","type":"a","param":null,"code":null}}"#,
    ] {
        let Reason { openai, message, .. } = read(body);
        assert_eq!(message.as_deref(), Some("Wrong: [redacted]"), "{body}");
        assert!(!openai.unwrap_or_default().contains("sk-"), "{body}");
    }
}

#[test]
fn an_error_in_openais_shape_stays_as_it_is_and_gets_what_it_lacks() {
    let whole = r#"{ "error":  {"message":"No.","type":"a","param":null,"code":"b", "more":1}}"#;
    assert_eq!(read(whole).openai.as_deref(), Some(whole));
    for (error, completed) in [
        (json!({ "message": "No." }), json!(["No.", "invalid_request_error", null, null])),
        (json!({ "message": "No.", "type": "a", "code": 400, "status": "X" }), json!(["No.", "a", null, "400"])),
        (
            json!({ "message": "No.\nAt all.", "type": "a", "param": null, "code": "b" }),
            json!(["No. At all.", "a", null, "b"]),
        ),
        (
            json!({ "message": "No.", "type": null, "param": ["file"], "code": "b" }),
            json!(["No.", "invalid_request_error", null, "b"]),
        ),
    ] {
        let openai = read(&json!({ "error": error }).to_string()).openai.unwrap();
        let is: Value = serde_json::from_str(&openai).unwrap();
        let members = ["message", "type", "param", "code"].map(|name| is["error"][name].clone());
        assert_eq!(json!(members), completed, "{openai}");
    }
}

#[test]
fn the_log_gets_words_and_no_sentences() {
    for (body, kind, code) in [
        (r#"{"error":{"message":"x","type":"a","code":"b"}}"#, Some("a"), Some("b")),
        (r#"{"error":{"message":"x","type":"a b","code":404}}"#, None, Some("404")),
        (r#"{"detail":[{"msg":"x","type":"missing"}]}"#, Some("missing"), None),
        (r#"{"message":"x","code":"b"}"#, None, Some("b")),
        (r#"{"error":"x"}"#, None, None),
        ("x", None, None),
    ] {
        let Reason { kind: is, code: is_code, .. } = read(body);
        assert_eq!((is.as_deref(), is_code.as_deref()), (kind, code), "{body}");
    }
    let long = json!({ "error": { "message": "x", "code": "x".repeat(65) } });
    assert_eq!(read(&long.to_string()).code, None);
}

#[test]
fn refusals_of_the_key_are_told_from_those_of_the_model() {
    let error = |message: &str, code: Option<&str>| {
        json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } })
            .to_string()
    };
    for (body, is_about) in [
        (error("Incorrect API key provided: sk-ab***yz.", Some("invalid_api_key")), true),
        (error("No.", Some("invalid_api_key")), true),
        (error("Access denied due to invalid subscription key.", None), true),
        (json!({ "detail": "Not authenticated" }).to_string(), true),
        (error("Project `proj_1` does not have access to model `whisper-2`", Some("model_not_found")), false),
        (error("Country, region, or territory not supported", Some("unsupported_country_region_territory")), false),
        (json!({ "detail": "This model is gated." }).to_string(), false),
    ] {
        assert_eq!(read(&body).is_about_credentials(), is_about, "{body}");
    }
}
