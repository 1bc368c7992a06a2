//! Tests of the `Authorization` header: it carries the token, and no refusal quotes it.

use super::*;

#[test]
fn the_token_stands_behind_the_word_bearer() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = with_payload(&json!({"sub": "alice", "exp": now + 600}).to_string());
    for good in ["Bearer T", "bearer T", "BEARER T", "bEaReR   T", " Bearer T "] {
        let header = good.replace('T', &token);
        assert!(gateway().from_header(Some(&header)).is_ok(), "{good:?}");
    }
    for (header, expected) in [
        (None, IdentityError::Missing),
        (Some("Bearer".to_owned()), IdentityError::Missing),
        (Some("Bearer   ".to_owned()), IdentityError::Missing),
        (Some(String::new()), IdentityError::NotBearer),
        (Some("Basic YWxpY2U6c2VjcmV0".to_owned()), IdentityError::NotBearer),
        (Some(token.clone()), IdentityError::NotBearer),
        (Some(format!("Token {token}")), IdentityError::NotBearer),
        (Some(format!("Bearer:{token}")), IdentityError::NotBearer),
        (Some(format!("Bearer\t{token}")), IdentityError::NotBearer),
        (Some("Bearer sk-proj-0123".to_owned()), IdentityError::Malformed(Flaw::NotThreeParts)),
        (Some(format!("Bearer {token} {token}")), IdentityError::Malformed(Flaw::NotThreeParts)),
        (Some(format!("Bearer {token}, Basic x")), IdentityError::Malformed(Flaw::NotBase64Url(Part::Signature))),
    ] {
        let refusal = gateway().from_header(header.as_deref()).unwrap_err();
        assert_eq!(refusal, expected, "{header:?}");
    }
}

#[test]
fn a_refusal_repeats_nothing_of_the_token() {
    let marked = json!({"sub": "alice", "exp": 5, "iss": "MARK", "aud": "MARK", "plan": "MARK", "jti": "MARK"});
    for token in [
        "MARK".to_owned(),
        "MARK.MARK.MARK".to_owned(),
        "MARK".repeat(5000),
        with_header(&json!({"alg": "MARK"})),
        with_header(&json!({"alg": "HS512", "kid": "MARK"})),
        with_header(&json!({"alg": "HS256", "crit": ["MARK"]})),
        with_payload("MARK"),
        with_payload(&marked.to_string()),
        with_payload(&claims_with(&json!({"sub": "MARK\n"})).to_string()),
        with_payload(&claims_with(&json!({"exp": "MARK"})).to_string()),
    ] {
        let refusal = gateway().verify_at(&token, NOW).unwrap_err();
        for said in [refusal.to_string(), format!("{refusal:?}")] {
            assert!(!said.contains("MARK") && !said.contains(SECRET), "{said}");
        }
    }
}
