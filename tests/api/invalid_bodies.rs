//! Bodies that are not what they say: each has its clear error, and the provider never hears of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};

/// What is sent, and the error that it is.
struct Bad {
    name: &'static str,
    content_type: String,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    param: Option<&'static str>,
}

fn form(name: &'static str, form: Form, code: &'static str, param: Option<&'static str>) -> Bad {
    Bad { name, content_type: Form::content_type(), body: form.bytes(), status: 400, code, param }
}

fn json(name: &'static str, body: impl Into<Vec<u8>>, code: &'static str, param: Option<&'static str>) -> Bad {
    Bad { name, content_type: "application/json".to_owned(), body: body.into(), status: 400, code, param }
}

async fn refused(cases: Vec<Bad>) {
    let gateway = Gateway::start().await;
    for Bad { name, content_type, body, status, code, param } in cases {
        let request = gateway.post(TRANSCRIPTIONS).header("content-type", content_type).body(body);
        let answer = gateway.send(request).await;
        let error = answer.error();
        let is = (answer.status, error["code"].as_str(), error["param"].as_str());
        assert_eq!(is, (status, Some(code), param), "{name}: {error}");
        // The connection, and the gateway, are as good as before.
        assert_eq!(gateway.spooled(), Vec::<std::path::PathBuf>::new(), "{name}");
    }
    assert_eq!(gateway.provider.requests(), 0);
    assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(300))).await.status, 200);
}

#[tokio::test]
async fn forms_that_are_broken() {
    let audio = audio::wav(300);
    let whole = Form::new().field("model", "gpt-transcribe").file(&audio);
    let cut = |bytes: usize| whole.clone().bytes()[..bytes].to_vec();
    let broken = |name, content_type: &str, body, code| Bad {
        name,
        content_type: content_type.to_owned(),
        body,
        status: 400,
        code,
        param: None,
    };
    let right = Form::content_type();
    refused(vec![
        broken("ends in the file", &right, cut(5000), "incomplete_body"),
        broken("ends in a field", &right, cut(100), "incomplete_body"),
        broken("ends without its last delimiter", &right, whole.clone().without_end(), "incomplete_body"),
        broken("another boundary", "multipart/form-data; boundary=other", whole.clone().bytes(), "incomplete_body"),
        broken("no boundary", "multipart/form-data", whole.clone().bytes(), "invalid_multipart"),
        broken("nothing", &right, Vec::new(), "incomplete_body"),
        form(
            "a part without a name",
            Form::new().part("Content-Type: text/plain", b"x").file(&audio),
            "invalid_multipart",
            None,
        ),
        form(
            "a part that is no form-data",
            Form::new().part("Content-Disposition: attachment", b"x"),
            "invalid_multipart",
            None,
        ),
        form("headers that are none", Form::new().part("\u{1}\u{2}: \u{3}", b"x"), "invalid_multipart", None),
    ])
    .await;
}

#[tokio::test]
async fn forms_with_too_much_or_too_little() {
    let audio = audio::wav(300);
    let many = |count: usize| (0..count).fold(Form::new(), |form, i| form.field(&format!("field_{i}"), "x"));
    refused(vec![
        form("no file", Form::new().field("model", "gpt-transcribe"), "missing_required_parameter", Some("file")),
        form("a file of nothing", Form::new().file(b""), "invalid_audio", Some("file")),
        form("two files", Form::new().file(&audio).file(&audio), "duplicate_parameter", Some("file")),
        form("10 000 fields", many(10_000).file(&audio), "too_many_fields", None),
        form("10 000 fields after the file", many(10_000), "too_many_fields", None),
        form(
            "a field of 5 MB",
            Form::new().field("prompt", &"x".repeat(5_000_000)).file(&audio),
            "field_too_large",
            Some("prompt"),
        ),
        form(
            "a field that is no text",
            Form::new().part("Content-Disposition: form-data; name=\"prompt\"", b"\xff\xfe").file(&audio),
            "invalid_value",
            Some("prompt"),
        ),
        form(
            "model twice",
            Form::new().fields(&[("model", "whisper-1"), ("model", "gpt-transcribe")]).file(&audio),
            "duplicate_parameter",
            Some("model"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_line_break_in_a_file_name_smuggles_nothing() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let headers =
        "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\r\nX-Evil: 1\"\r\nContent-Type: audio/wav";
    let answer = gateway.transcribe(Form::new().part(headers, &audio)).await;
    assert!(answer.status == 400 || answer.status == 200, "{}", answer.text());
    // Percent-encoded, as browsers write it, and a quote: names of clients go no further in any case.
    for name in ["a%0D%0AX-Evil: 1.wav", "a\\\"; name=\\\"model.wav", "../../etc/passwd", "é\u{202e}vaw.exe"] {
        let answer = gateway.transcribe(Form::new().named_file(name, "audio/wav", &audio)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(gateway.provider.last().file().file_name.as_deref(), Some("audio.wav"));
    }
}

#[tokio::test]
async fn a_line_break_in_a_field_name_smuggles_nothing() {
    let audio = audio::wav(300);
    let query = |name: &'static str, query: &str| (name, query.to_owned());
    let gateway = Gateway::start().await;
    for (name, query) in [
        query("a line break", "a%0D%0Ab=1"),
        query("a quote", "a%22%3B=1"),
        query("no name", "=1"),
        query("a long name", &format!("{}=1", "x".repeat(200))),
    ] {
        let request = gateway.post(&format!("{TRANSCRIPTIONS}?{query}")).header("content-type", "audio/wav");
        let answer = gateway.send(request.body(audio.clone())).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn json_that_is_broken() {
    let audio = STANDARD.encode(audio::wav(300));
    let mut late = STANDARD.encode(audio::wav_of_bytes(15_000_000)).into_bytes();
    let last = late.len() - 3;
    late[last] = b'!';
    let late = [b"{\"audio\":\"".as_slice(), &late, b"\"}"].concat();
    refused(vec![
        json("nothing", "", "invalid_json", None),
        json("no JSON", "audio", "invalid_json", None),
        json("no object", "[1]", "invalid_json", None),
        json("cut short", format!("{{\"audio\":\"{audio}"), "invalid_json", None),
        json("more after it", format!("{{\"audio\":\"{audio}\"}} {{}}"), "invalid_json", None),
        json(
            "deep",
            format!("{{\"audio\":\"{audio}\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
            "invalid_json",
            None,
        ),
        json("no audio", "{\"model\":\"gpt-transcribe\"}", "missing_required_parameter", Some("audio")),
        json("empty audio", "{\"audio\":\"\"}", "invalid_audio", Some("file")),
        json("audio that is no text", "{\"audio\":7}", "invalid_value", Some("audio")),
        json(
            "audio twice",
            format!("{{\"audio\":\"{audio}\",\"audio\":\"{audio}\"}}"),
            "duplicate_parameter",
            Some("audio"),
        ),
        json("a bad character at the end of 20 MB", late, "invalid_base64", Some("audio")),
        json("a URL that is no data URL", "{\"audio\":\"https://example.com/a.wav\"}", "invalid_base64", Some("audio")),
        json("input_audio that is text", "{\"input_audio\":\"x\"}", "invalid_value", Some("input_audio")),
        json(
            "a prompt of 5 MB",
            json!({ "audio": audio, "prompt": "x".repeat(5_000_000) }).to_string(),
            "field_too_large",
            None,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_content_type_that_is_not_taken() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "nonsense", "image/png"]
    {
        let request = gateway.post(TRANSCRIPTIONS).header("content-type", content_type).body(audio.clone());
        gateway.send(request).await.is_error(415, "unsupported_media_type", None);
    }
    let request = gateway.post(TRANSCRIPTIONS).body(audio);
    gateway.send(request).await.is_error(415, "unsupported_media_type", None);
}

#[tokio::test]
async fn nested_json_counts_against_the_fields_before_anything_is_made_of_it() {
    let audio = STANDARD.encode(audio::wav(300));
    let items = vec!["[]"; 60_000].join(",");
    let long = format!(r#"{{"audio":"{audio}","{}":[{items}]}}"#, "x".repeat(1_000_000));
    let many = format!(r#"{{"audio":"{audio}","option":[{items}]}}"#);
    refused(vec![
        json("a long name above many items", long, "invalid_value", None),
        json("many items with nothing in them", many, "too_many_fields", None),
    ])
    .await;
}

#[tokio::test]
async fn nothing_but_the_recording_goes_out_under_its_name() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    for name in ["file", "file[]", "audio", "input_audio"] {
        let query = name.replace("[]", "%5B%5D");
        let request = gateway.post(&format!("{TRANSCRIPTIONS}?{query}=other")).header("content-type", "audio/wav");
        let answer = gateway.send(request.body(audio.clone())).await;
        answer.is_error(400, "duplicate_parameter", name.split('[').next());
    }
    gateway.transcribe(Form::new().field("file[]", "other").file(&audio)).await.is_error(
        400,
        "duplicate_parameter",
        Some("file"),
    );
    assert_eq!(gateway.provider.requests(), 0);
}
