//! Tests of texts that are not a JWT: each refusal names the fault.

use super::*;
use Malformed::{NotAnObject, NotBase64Url, NotThreeParts};

fn flaw(token: &str) -> Option<Malformed> {
    match gateway().verify_at(token, NOW) {
        Err(IdentityError::Malformed(flaw)) => Some(flaw),
        _ => None,
    }
}

#[test]
fn a_token_is_three_parts() {
    let good = with_payload(&claims().to_string());
    let (signed, _) = good.rsplit_once('.').unwrap();
    for token in ["", ".", "a.b", "sk-proj-0123456789", signed, &format!("{good}."), &format!("{good}.a"), "a.b.c.d.e"]
    {
        assert_eq!(flaw(token), Some(NotThreeParts), "{token:?}");
    }
    assert_eq!(flaw(".."), Some(NotAnObject(Segment::Header)));
    assert!(gateway().verify_at(&good, NOW).is_ok());
}

#[test]
fn each_part_is_base64url_without_padding() {
    let good = with_payload(&claims().to_string());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for spoilt in ["*", "=", "+", "/", " ", "\n", "é"] {
        let token = format!("{header}{spoilt}.{payload}.{signature}");
        assert!(matches!(flaw(&token), Some(NotBase64Url(Segment::Header) | NotAnObject(_))), "{token}");
        let token = format!("{header}.{payload}.{signature}{spoilt}");
        assert_eq!(flaw(&token), Some(NotBase64Url(Segment::Signature)), "{token}");
    }
    // The last of 43 characters carries two unused bits. If they could vary, one token could be written in four ways.
    let last = signature.chars().next_back().map(|last| char::from(u8::try_from(last).unwrap() + 1)).unwrap();
    let token = format!("{header}.{payload}.{}{last}", &signature[..signature.len() - 1]);
    assert_eq!(flaw(&token), Some(NotBase64Url(Segment::Signature)), "{token}");
    // A payload that is not base64url can be signed all the same.
    let message = format!("{header}.{payload}=");
    let signature = crypto::sign(message.as_bytes(), &private_key(Algorithm::HS256), Algorithm::HS256).unwrap();
    assert_eq!(flaw(&format!("{message}.{signature}")), Some(NotBase64Url(Segment::Payload)));
}

#[test]
fn the_header_is_an_object_with_an_algorithm() {
    for header in [
        json!(["HS256"]),
        json!(["HS256", null, false]),
        json!("HS256"),
        json!({}),
        json!({"alg": null}),
        json!({"alg": ["HS256"]}),
        json!({"alg": "HS256", "kid": 7}),
        json!({"alg": "HS256", "kid": ["a"]}),
    ] {
        assert_eq!(flaw(&with_header(&header)), Some(NotAnObject(Segment::Header)), "{header}");
    }
    let twice = r#"{"alg":"none","alg":"HS256"}"#;
    let token = sign(twice, &claims().to_string(), &private_key(Algorithm::HS256), Algorithm::HS256);
    assert_eq!(flaw(&token), Some(NotAnObject(Segment::Header)));
}

#[test]
fn what_else_a_header_says_changes_nothing() {
    let key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(OTHER_SECRET)});
    for more in
        [json!({"typ": "at+jwt"}), json!({"jwk": key}), json!({"jku": "http://127.0.0.1/"}), json!({"kid": null})]
    {
        let mut header = json!({"alg": "HS256"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(gateway().verify_at(&with_header(&header), NOW).is_ok(), "{header}");
        let foreign = EncodingKey::from_secret(OTHER_SECRET.as_bytes());
        let forged = sign(&header.to_string(), &claims().to_string(), &foreign, Algorithm::HS256);
        assert_eq!(gateway().verify_at(&forged, NOW), Err(IdentityError::BadSignature), "{header}");
    }
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null), json!("b64"), json!({})] {
        let token = with_header(&json!({"alg": "HS256", "b64": false, "crit": crit}));
        assert_eq!(gateway().verify_at(&token, NOW), Err(IdentityError::CriticalHeader), "{crit}");
    }
}

#[test]
fn the_payload_is_an_object() {
    for payload in [
        "",
        "null",
        "7",
        r#""alice""#,
        r#"["alice",1800000060,null,null,null,null,null,null,null]"#,
        r#"{"sub":"alice","exp":1800000060"#,
        r#"{"sub":"alice","exp":1800000060} {}"#,
        r#"{"sub":"alice","exp":1e999}"#,
        "{\"sub\":\"al\nice\",\"exp\":1800000060}",
        r#"{"sub":"\ud800","exp":1800000060}"#,
    ] {
        assert_eq!(flaw(&with_payload(payload)), Some(NotAnObject(Segment::Payload)), "{payload}");
    }
    assert!(gateway().verify_at(&with_payload(&format!(" \t\r\n{}\n", claims())), NOW).is_ok());
}

#[test]
fn a_payload_that_is_not_utf8_is_refused() {
    let payload = [b"{\"sub\":\"al\xff\",\"exp\":1800000060}".as_slice(), b"{\"\xff\":1}"];
    for bytes in payload {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(bytes));
        let signature = crypto::sign(message.as_bytes(), &private_key(Algorithm::HS256), Algorithm::HS256).unwrap();
        assert_eq!(flaw(&format!("{message}.{signature}")), Some(NotAnObject(Segment::Payload)));
    }
}

#[test]
fn a_claim_may_be_given_once() {
    for name in ["sub", "exp", "nbf", "iat", "iss", "aud", "jti", "scope", "plan"] {
        let payload = format!(r#"{{"sub":"alice","exp":1800000060,"{name}":"x","{name}":"x"}}"#);
        assert_eq!(flaw(&with_payload(&payload)), Some(NotAnObject(Segment::Payload)), "{name}");
    }
    // The escaped name is the same name. A repeated claim that the gateway does not read does not matter.
    let escaped = r#"{"sub":"alice","s\u0075b":"bob","exp":1800000060}"#;
    assert_eq!(flaw(&with_payload(escaped)), Some(NotAnObject(Segment::Payload)));
    assert!(gateway().verify_at(&with_payload(r#"{"sub":"alice","exp":1800000060,"x":1,"x":2}"#), NOW).is_ok());
}

#[test]
fn a_huge_token_is_refused_unread() {
    let longest = |bytes: usize| {
        let token = |filling: usize| with_payload(&claims_with(&json!({"x": "x".repeat(filling)})).to_string());
        (0..bytes).rev().map(token).find(|token| token.len() <= bytes).unwrap()
    };
    let most = longest(MAX_TOKEN_BYTES);
    assert!(most.len() > MAX_TOKEN_BYTES - 3, "{}", most.len());
    assert!(gateway().verify_at(&most, NOW).is_ok());
    for bytes in [MAX_TOKEN_BYTES + 1, 10_000_000] {
        assert_eq!(gateway().verify_at(&".".repeat(bytes), NOW), Err(IdentityError::TooLong { bytes }));
    }
}

#[test]
fn a_deep_payload_is_no_danger() {
    let deep =
        |name: &str| format!(r#"{{"sub":"a","exp":1800000060,"{name}":{}{}}}"#, "[".repeat(2900), "]".repeat(2900));
    assert_eq!(flaw(&with_payload(&deep("plan"))), Some(NotAnObject(Segment::Payload)));
    assert!(gateway().verify_at(&with_payload(&deep("x")), NOW).is_ok());
}
