//! Tests of the minter: the gateway accepts the tokens that it signs.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::domain::AudioMs;

fn grant() -> Grant {
    Grant {
        subject: "alice".parse().unwrap(),
        plan: None,
        scopes: Scopes::ALL,
        ttl: Duration::from_hours(1),
        token_id: None,
        caps: Caps::default(),
        maker: None,
    }
}

#[test]
fn a_minted_token_is_taken_by_the_verifier_of_the_same_settings() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let key = secret(algorithm, SECRET).named("own");
        let rules = Rules {
            issuer: Some("voxgate".into()),
            audience: vec!["speech".into(), "voxgate".into()],
            ..Rules::default()
        };
        let caps = Caps { usd: "0.10".parse().ok(), audio: Some(AudioMs::new(5)) };
        let maker = "shop".parse().ok();
        let grant = Grant { plan: Some("pro".into()), token_id: Some("one".into()), caps, maker, ..grant() };
        let token = Minter::new(&key, &rules).unwrap().mint_at(&grant, NOW).unwrap();
        let other = secret(algorithm, OTHER_SECRET);
        let caller = Verifier::new(vec![other, key], rules).unwrap().verify_at(token.expose_secret(), NOW).unwrap();
        let expected = Caller {
            subject: grant.subject,
            scopes: Scopes::ALL,
            plan: "pro".into(),
            token_id: Some("one".into()),
            expires_at: NOW + 3600,
            issued_at: Some(NOW),
            caps,
            maker: Some("shop".parse().unwrap()),
        };
        assert_eq!(caller, expected, "{algorithm:?}");
        assert_eq!(caller.accountable().as_str(), "shop");
    }
}

#[test]
fn a_plain_token_says_no_more_than_it_must() {
    let key = secret(Algorithm::HS256, SECRET);
    let minter = Minter::new(&key, &Rules::default()).unwrap();
    let token = minter.mint_at(&grant(), NOW).unwrap();
    let payload = token.expose_secret().split('.').nth(1).unwrap();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let expected = r#"{"sub":"alice","iat":1800000000,"exp":1800003600,"scope":"transcribe translate usage sessions"}"#;
    assert_eq!(payload, expected);
    assert!(gateway().verify(minter.mint(&grant()).unwrap().expose_secret()).is_ok());
}

#[test]
fn only_a_secret_mints_and_only_tokens_that_last() {
    for key in [public(Algorithm::RS256, RSA_PUBLIC), secret(Algorithm::RS256, SECRET), public(Algorithm::HS256, "x")] {
        assert!(matches!(Minter::new(&key, &Rules::default()), Err(MintError::NotASecret(_))), "{key:?}");
    }
    let minter = Minter::new(&secret(Algorithm::HS256, SECRET), &Rules::default()).unwrap();
    for ttl in [Duration::ZERO, Duration::from_millis(999), Duration::MAX, Duration::from_hours(80_000_000)] {
        assert!(matches!(minter.mint_at(&Grant { ttl, ..grant() }, NOW), Err(MintError::Ttl)), "{ttl:?}");
    }
}

#[test]
fn a_minted_token_says_it_where_the_settings_have_it_read() {
    let mapping = ClaimMapping {
        subject: "/user/name".parse().unwrap(),
        plan: "/user/plan".parse().unwrap(),
        scope: "https://example.com/scope".parse().unwrap(),
        ..ClaimMapping::default()
    };
    let rules = Rules { mapping, ..Rules::default() };
    let key = secret(Algorithm::HS256, SECRET);
    let grant = Grant { plan: Some("pro".into()), ..grant() };
    let token = Minter::new(&key, &rules).unwrap().mint_at(&grant, NOW).unwrap();
    let caller = Verifier::new(vec![key], rules).unwrap().verify_at(token.expose_secret(), NOW).unwrap();
    assert_eq!((caller.subject, caller.plan.as_str(), caller.scopes), (grant.subject, "pro", Scopes::ALL));
}
