//! Tests of the claims: the clock and the rules of the gateway decide on them.

use std::time::Duration;

use super::*;

fn ask(rules: Rules, claims: &Value) -> Result<Caller, IdentityError> {
    let gateway = Verifier::new(vec![secret(Algorithm::HS256, SECRET)], rules).expect("the key is good");
    gateway.verify_at(&with_payload(&claims.to_string()), NOW)
}

fn leeway(seconds: u64) -> Rules {
    Rules { leeway: Duration::from_secs(seconds), ..Rules::default() }
}

#[test]
fn a_full_token_becomes_a_caller() {
    let claims = json!({
        "sub": "alice", "exp": NOW + 60, "nbf": NOW - 60, "iat": NOW - 60, "iss": "any", "aud": "any",
        "jti": "token-1", "scope": "transcribe usage email", "plan": "pro", "email": {"more": [1, 2]},
    });
    let caller = ask(Rules::default(), &claims).unwrap();
    let expected = Caller {
        subject: "alice".parse().unwrap(),
        scopes: "transcribe usage".parse().unwrap(),
        plan: "pro".into(),
        token_id: Some("token-1".into()),
        expires_at: NOW + 60,
        issued_at: Some(NOW - 60),
        caps: Caps::default(),
        maker: None,
    };
    assert_eq!(caller, expected);
    assert_eq!(caller.accountable(), &caller.subject);
    assert_eq!(caller.require(Scope::Usage), Ok(()));
    let refusal = caller.require(Scope::Translate).unwrap_err();
    assert_eq!(refusal, IdentityError::InsufficientScope { needed: Scope::Translate });
    assert!(refusal.to_string().contains("`translate`"), "{refusal}");
}

#[test]
fn a_bare_token_has_the_default_plan_and_may_do_nothing() {
    let caller = ask(Rules::default(), &claims()).unwrap();
    assert_eq!((caller.plan.as_str(), caller.token_id, caller.issued_at), ("default", None, None));
    assert!(caller.scopes.is_empty());
}

#[test]
fn the_clock_decides_to_the_second() {
    let expired = |at: u64| Err(IdentityError::Expired { at, now: NOW });
    let not_yet = |from: u64| Err(IdentityError::NotYetValid { from, now: NOW });
    let unborn = |at: u64| Err(IdentityError::IssuedInFuture { at, now: NOW });
    for (seconds, claims, expected) in [
        (0, json!({"exp": NOW + 1}), Ok(())),
        (0, json!({"exp": NOW}), expired(NOW)),
        (0, json!({"exp": NOW - 1}), expired(NOW - 1)),
        (0, json!({"exp": 0}), expired(0)),
        (30, json!({"exp": NOW - 29}), Ok(())),
        (30, json!({"exp": NOW - 30}), expired(NOW - 30)),
        (0, json!({"nbf": NOW}), Ok(())),
        (0, json!({"nbf": NOW + 1}), not_yet(NOW + 1)),
        (30, json!({"nbf": NOW + 30}), Ok(())),
        (30, json!({"nbf": NOW + 31}), not_yet(NOW + 31)),
        (0, json!({"iat": NOW}), Ok(())),
        (0, json!({"iat": NOW + 1}), unborn(NOW + 1)),
        (30, json!({"iat": NOW + 30}), Ok(())),
        (30, json!({"iat": NOW + 31}), unborn(NOW + 31)),
        (u64::MAX, json!({"exp": 0, "nbf": 253_402_300_799_u64}), Ok(())),
        // Decimals are allowed, and cut off.
        (0, json!({"exp": 1_800_000_001.5}), Ok(())),
        (0, json!({"exp": 1_800_000_000.9}), expired(NOW)),
        (0, json!({"exp": 1.8e9}), expired(NOW)),
        (0, json!({"nbf": 1_800_000_000.9}), Ok(())),
    ] {
        assert_eq!(ask(leeway(seconds), &claims_with(&claims)).map(|_| ()), expected, "{claims} ± {seconds}");
    }
    let half_a_second = Rules { leeway: Duration::from_millis(500), ..Rules::default() };
    assert!(ask(half_a_second, &claims_with(&json!({"exp": NOW}))).is_ok());
}

#[test]
fn the_clock_itself_may_be_anywhere() {
    let token = with_payload(&claims_with(&json!({"iat": NOW})).to_string());
    assert_eq!(gateway().verify_at(&token, 0), Err(IdentityError::IssuedInFuture { at: NOW, now: 0 }));
    let late = gateway().verify_at(&token, u64::MAX).unwrap_err();
    assert_eq!(late.to_string(), "The token expired at 2027-01-15T08:01:00Z; it is now 9999-12-31T23:59:59Z.",);
    assert!(matches!(late, IdentityError::Expired { .. }), "{late:?}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let fresh = json!({"sub": "alice", "exp": now + 600, "iat": now}).to_string();
    assert!(gateway().verify(&with_payload(&fresh)).is_ok());
}

#[test]
fn a_time_is_a_number_of_seconds() {
    for name in ["exp", "nbf", "iat"] {
        for wrong in [
            json!(null),
            json!("1800000060"),
            json!(true),
            json!([NOW]),
            json!(-1),
            json!(-0.5),
            json!((NOW + 60) * 1000),
            json!(u64::MAX),
            json!(1e300),
        ] {
            let outcome = ask(Rules::default(), &claims_with(&json!({name: wrong})));
            let named = matches!(&outcome, Err(IdentityError::InvalidClaim { claim, .. }) if claim == name);
            assert!(named, "{name} {wrong}: {outcome:?}");
        }
    }
}

#[test]
fn what_a_token_must_say_it_must_say() {
    for name in ["sub", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().shift_remove(name).unwrap();
        assert_eq!(ask(Rules::default(), &claims), Err(IdentityError::MissingClaim(name.into())));
    }
}

#[test]
fn names_are_short_plain_text() {
    let longest = "é".repeat(128);
    for good in ["a", "auth0|5f7c", "user@example.com", "日本", " ", &longest] {
        assert_eq!(ask(Rules::default(), &claims_with(&json!({"sub": good}))).unwrap().subject.as_str(), good);
    }
    let too_long = format!("{longest}x");
    for name in ["sub", "plan", "jti", "voxgate_maker"] {
        for wrong in [
            json!(null),
            json!(7),
            json!(["alice"]),
            json!({"name": "alice"}),
            json!(""),
            json!(too_long),
            json!("al\u{0}ice"),
            json!("alice\r\nx-admin: 1"),
            json!("\u{1b}[31m"),
            json!("\u{7f}"),
            json!("\u{85}"),
        ] {
            let outcome = ask(Rules::default(), &claims_with(&json!({name: wrong})));
            let named = matches!(&outcome, Err(IdentityError::InvalidClaim { claim, .. }) if claim == name);
            assert!(named, "{name} {wrong}: {outcome:?}");
        }
    }
}

#[test]
fn a_scope_is_words_in_a_text_or_a_list() {
    for wrong in [json!(null), json!(["transcribe", 1]), json!({"transcribe": true}), json!(1)] {
        let outcome = ask(Rules::default(), &claims_with(&json!({"scope": wrong})));
        assert!(matches!(&outcome, Err(IdentityError::InvalidClaim { claim, .. }) if claim == "scope"), "{outcome:?}");
    }
    assert!(ask(Rules::default(), &claims_with(&json!({"scope": ""}))).unwrap().scopes.is_empty());
    for words in [json!("transcribe usage"), json!(["usage", "email", "transcribe"])] {
        let scopes = ask(Rules::default(), &claims_with(&json!({"scope": words}))).unwrap().scopes;
        assert_eq!(scopes.to_string(), "transcribe usage");
    }
}

#[test]
fn the_issuer_counts_where_one_is_set() {
    let invalid = IdentityError::InvalidClaim { claim: "iss".into(), rule: "a string" };
    for (iss, expected) in [
        (json!({"iss": "https://login.example"}), Ok(())),
        (json!({"iss": "https://login.example/"}), Err(IdentityError::WrongIssuer)),
        (json!({"iss": ""}), Err(IdentityError::WrongIssuer)),
        (json!({}), Err(IdentityError::MissingClaim("iss".into()))),
        (json!({"iss": ["https://login.example"]}), Err(invalid.clone())),
        (json!({"iss": null}), Err(invalid)),
    ] {
        let rules = Rules { issuer: Some("https://login.example".into()), ..Rules::default() };
        assert_eq!(ask(rules, &claims_with(&iss)).map(|_| ()), expected, "{iss}");
        assert!(ask(Rules::default(), &claims_with(&iss)).is_ok(), "{iss}, but none is set");
    }
}

#[test]
fn the_audience_counts_where_one_is_set() {
    let invalid = IdentityError::InvalidClaim { claim: "aud".into(), rule: "a string or a list of strings" };
    for (aud, expected) in [
        (json!({"aud": "voxgate"}), Ok(())),
        (json!({"aud": "speech"}), Ok(())),
        (json!({"aud": ["mail", "voxgate"]}), Ok(())),
        (json!({"aud": "mail"}), Err(IdentityError::WrongAudience)),
        (json!({"aud": "Voxgate"}), Err(IdentityError::WrongAudience)),
        (json!({"aud": ["mail"]}), Err(IdentityError::WrongAudience)),
        (json!({"aud": []}), Err(IdentityError::WrongAudience)),
        (json!({}), Err(IdentityError::MissingClaim("aud".into()))),
        (json!({"aud": ["voxgate", 7]}), Err(invalid.clone())),
        (json!({"aud": {"voxgate": true}}), Err(invalid.clone())),
        (json!({"aud": null}), Err(invalid)),
    ] {
        let rules = Rules { audience: vec!["voxgate".into(), "speech".into()], ..Rules::default() };
        assert_eq!(ask(rules, &claims_with(&aud)).map(|_| ()), expected, "{aud}");
        assert!(ask(Rules::default(), &claims_with(&aud)).is_ok(), "{aud}, but none is set");
    }
}

/// Rules under which the gateway reads an issuer's own claims.
fn mapped(subject: &str, plan: &str, scope: &str) -> Rules {
    let mapping = ClaimMapping {
        subject: subject.parse().unwrap(),
        plan: plan.parse().unwrap(),
        scope: scope.parse().unwrap(),
        default_scope: "usage".parse().unwrap(),
        words: [("editor".to_owned(), "transcribe translate".parse().unwrap())].into(),
    };
    Rules { mapping, ..Rules::default() }
}

#[test]
fn claims_are_read_where_the_settings_say() {
    let rules = mapped("email", "https://example.com/plan", "/realm/roles");
    let claims = json!({
        "exp": NOW + 60, "sub": "somebody", "plan": "free", "scope": "translate", "email": "alice@example.com",
        "https://example.com/plan": "pro", "realm": {"roles": ["editor", "offline", "usage"]},
    });
    let caller = ask(rules.clone(), &claims).unwrap();
    let found = (caller.subject.as_str(), caller.plan.as_str(), caller.scopes);
    assert_eq!(found, ("alice@example.com", "pro", "transcribe translate usage".parse().unwrap()));

    // A missing or unknown value gives the fewest permissions.
    for bare in [json!({}), json!({"realm": {}}), json!({"realm": 7}), json!({"realm": {"roles": null}})] {
        let mut claims = json!({"exp": NOW + 60, "email": "bob", "https://example.com/plan": null});
        claims.as_object_mut().unwrap().extend(bare.as_object().unwrap().clone());
        let caller = ask(rules.clone(), &claims).unwrap();
        assert_eq!((caller.plan.as_str(), caller.scopes.to_string().as_str()), ("default", "usage"), "{bare}");
    }
    let caller = ask(rules.clone(), &json!({"exp": NOW + 60, "email": "bob", "realm": {"roles": []}})).unwrap();
    assert!(caller.scopes.is_empty(), "the token says that there are none");
    let nobody = ask(rules, &json!({"exp": NOW + 60, "sub": "somebody"}));
    assert_eq!(nobody, Err(IdentityError::MissingClaim("email".into())));
}

#[test]
fn a_mapped_claim_may_be_given_once_at_every_depth() {
    let gateway = Verifier::new(vec![secret(Algorithm::HS256, SECRET)], mapped("sub", "/app/plan", "/app/scope"));
    let gateway = gateway.unwrap();
    for app in [r#""app":{"plan":"a","plan":"b"}"#, r#""app":{"plan":"a"},"app":{"plan":"b"}"#] {
        let payload = format!(r#"{{"sub":"alice","exp":1800000060,{app}}}"#);
        let refusal = gateway.verify_at(&with_payload(&payload), NOW);
        assert_eq!(refusal, Err(IdentityError::Malformed(Flaw::NotAnObject(Part::Payload))), "{app}");
    }
}
