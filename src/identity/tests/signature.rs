//! Tests of the signature: only the gateway's own keys make a token valid, and each only by its own algorithm.

use jsonwebtoken::Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};

use super::*;

const ALL: [Algorithm; 12] = [HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA];

fn key_for(algorithm: Algorithm) -> KeySpec {
    match algorithm {
        HS256 | HS384 | HS512 => secret(algorithm, SECRET),
        ES256 => public(algorithm, pem!("ec-p256.test-public")),
        ES384 => public(algorithm, pem!("ec-p384.test-public")),
        EdDSA => public(algorithm, pem!("ed25519.test-public")),
        _ => public(algorithm, RSA_PUBLIC),
    }
}

fn token(algorithm: Algorithm) -> String {
    let header = json!({"alg": algorithm}).to_string();
    sign(&header, &claims().to_string(), &private_key(algorithm), algorithm)
}

#[test]
fn every_algorithm_is_taken_with_its_own_key_and_with_no_other_algorithms() {
    for of_key in ALL {
        let gateway = verifier([key_for(of_key)]);
        for of_token in ALL {
            let outcome = gateway.verify_at(&token(of_token), NOW).map(|caller| caller.subject.to_string());
            let expected =
                if of_key == of_token { Ok("alice".to_owned()) } else { Err(IdentityError::WrongAlgorithm(of_token)) };
            assert_eq!(outcome, expected, "{of_token:?} token, {of_key:?} key");
        }
    }
}

#[test]
fn all_keys_together_take_every_algorithm() {
    let gateway = verifier(ALL.map(key_for));
    for algorithm in ALL {
        assert!(gateway.verify_at(&token(algorithm), NOW).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn a_public_key_is_never_an_hmac_secret() {
    let forged = |secret: &str| {
        sign(r#"{"alg":"HS256"}"#, &claims().to_string(), &EncodingKey::from_secret(secret.as_bytes()), HS256)
    };
    for secret_text in [RSA_PUBLIC, RSA_PUBLIC.trim(), pem!("rsa-2048.test-public-pkcs1")] {
        let only_rsa = verifier([public(RS256, RSA_PUBLIC)]);
        assert_eq!(only_rsa.verify_at(&forged(secret_text), NOW), Err(IdentityError::WrongAlgorithm(HS256)));
        let both = verifier([public(RS256, RSA_PUBLIC), secret(HS256, SECRET)]);
        assert_eq!(both.verify_at(&forged(secret_text), NOW), Err(IdentityError::BadSignature));
        let named = verifier([public(RS256, RSA_PUBLIC).named("k"), secret(HS256, SECRET)]);
        assert_eq!(named.verify_at(&forged(secret_text), NOW), Err(IdentityError::BadSignature));
    }
}

#[test]
fn an_unsigned_token_is_refused_however_it_is_spelt() {
    let signed = token(HS256);
    let signature = signed.rsplit_once('.').unwrap().1;
    for alg in ["none", "None", "nOnE", "NONE", "", "hs256", "HS256 ", "HS1", "RS1", "ES512", "A128KW"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg}).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
        for signature in ["", signature] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(gateway().verify_at(&token, NOW), Err(IdentityError::UnknownAlgorithm), "{alg:?} {signature:?}");
        }
    }
}

#[test]
fn a_signature_is_good_only_for_its_own_content() {
    let token = token(HS256);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let richer = URL_SAFE_NO_PAD.encode(claims_with(&json!({"plan": "pro"})).to_string());
    for changed in [
        format!("{header}.{richer}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 3]),
        sign(r#"{"alg":"HS256"}"#, &claims().to_string(), &EncodingKey::from_secret(OTHER_SECRET.as_bytes()), HS256),
        sign(r#"{"alg":"HS256"}"#, &claims().to_string(), &EncodingKey::from_secret(b""), HS256),
    ] {
        assert_eq!(gateway().verify_at(&changed, NOW), Err(IdentityError::BadSignature), "{changed}");
    }
}

#[test]
fn the_claims_of_a_token_that_is_not_ours_are_not_even_read() {
    let expired = json!({"sub": "alice", "exp": 1}).to_string();
    for payload in [expired.as_str(), "not json"] {
        let token = sign(r#"{"alg":"HS256"}"#, payload, &EncodingKey::from_secret(OTHER_SECRET.as_bytes()), HS256);
        assert_eq!(gateway().verify_at(&token, NOW), Err(IdentityError::BadSignature));
    }
}

/// A token signed with `with` that names `kid`.
fn named(kid: Option<&str>, with: &str) -> String {
    let header = kid.map_or(json!({"alg": "HS256"}), |kid| json!({"alg": "HS256", "kid": kid}));
    sign(&header.to_string(), &claims().to_string(), &EncodingKey::from_secret(with.as_bytes()), HS256)
}

#[test]
fn a_kid_chooses_the_key() {
    const NAMELESS: &str = "the nameless secret of 32 bytes or more";
    let keys = [secret(HS256, SECRET).named("a"), secret(HS256, OTHER_SECRET).named("b"), secret(HS256, NAMELESS)];
    let gateway = verifier(keys);
    for (kid, with, good) in [
        (Some("a"), SECRET, true),
        (Some("b"), OTHER_SECRET, true),
        (Some("a"), OTHER_SECRET, false), // the key of that name, and no other
        (Some("a"), NAMELESS, false),
        (Some("c"), NAMELESS, true), // an unknown name: a key without one may be meant
        (Some("c"), SECRET, false),
        (Some(""), NAMELESS, true),
        (None, SECRET, true), // no name: each in turn
        (None, OTHER_SECRET, true),
        (None, NAMELESS, true),
        (None, "some other secret of 32 bytes or more", false),
    ] {
        let expected = if good { Ok(()) } else { Err(IdentityError::BadSignature) };
        assert_eq!(gateway.verify_at(&named(kid, with), NOW).map(|_| ()), expected, "{kid:?} signed with {with:?}");
    }
}

#[test]
fn a_kid_that_nobody_has_is_said_to_be_unknown() {
    let gateway = verifier([secret(HS256, SECRET).named("a")]);
    assert_eq!(gateway.verify_at(&named(Some("b"), SECRET), NOW), Err(IdentityError::UnknownKey));
}

/// The token of an identity provider at a gateway with only a secret: the error is the unknown key, not the missing
/// algorithm.
#[test]
fn a_kid_that_nobody_has_is_said_to_be_unknown_beside_keys_of_other_algorithms() {
    let gateway = verifier([secret(HS256, SECRET), public(ES256, pem!("ec-p256.test-public")).named("other")]);
    for algorithm in [RS256, ES256, EdDSA] {
        let header = json!({"alg": format!("{algorithm:?}"), "kid": "theirs"}).to_string();
        let token = sign(&header, &claims().to_string(), &private_key(algorithm), algorithm);
        assert_eq!(gateway.verify_at(&token, NOW), Err(IdentityError::UnknownKey), "{algorithm:?}");
    }
    let token = sign(r#"{"alg":"RS256"}"#, &claims().to_string(), &private_key(RS256), RS256);
    assert_eq!(gateway.verify_at(&token, NOW), Err(IdentityError::WrongAlgorithm(RS256)));
}

/// RFC 9864 §2.2.
#[test]
fn ed25519_is_another_name_of_eddsa_in_a_token() {
    let gateway = verifier([public(EdDSA, pem!("ed25519.test-public"))]);
    let with = |alg: &str| {
        let header = json!({"alg": alg}).to_string();
        gateway.verify_at(&sign(&header, &claims().to_string(), &private_key(EdDSA), EdDSA), NOW).map(|_| ())
    };
    assert_eq!([with("EdDSA"), with("Ed25519")], [Ok(()), Ok(())]);
    for other in ["ed25519", "Ed448", "ED25519", "ESP256"] {
        assert_eq!(with(other), Err(IdentityError::UnknownAlgorithm), "{other}");
    }
}

#[test]
fn a_kid_does_not_loosen_the_algorithm() {
    let gateway = verifier([public(RS256, RSA_PUBLIC).named("a"), secret(HS256, SECRET)]);
    assert_eq!(gateway.verify_at(&named(Some("a"), SECRET), NOW), Err(IdentityError::WrongAlgorithm(HS256)));
}

#[test]
fn a_key_is_changed_without_a_gap() {
    let (old, new) = (secret(HS256, SECRET).named("old"), secret(HS256, OTHER_SECRET).named("new"));
    let tokens = [named(Some("old"), SECRET), named(Some("new"), OTHER_SECRET)];
    let outcomes =
        |keys: Vec<KeySpec>| tokens.clone().map(|token| verifier(keys.clone()).verify_at(&token, NOW).is_ok());
    assert_eq!(outcomes(vec![old.clone()]), [true, false]);
    assert_eq!(outcomes(vec![old, new.clone()]), [true, true]);
    assert_eq!(outcomes(vec![new]), [false, true]);
}

#[test]
fn the_right_key_counts_even_where_the_token_fails_otherwise() {
    let gateway = verifier([secret(HS256, SECRET), secret(HS256, OTHER_SECRET)]);
    for key in [SECRET, OTHER_SECRET] {
        let payload = json!({"sub": "alice", "exp": NOW - 1}).to_string();
        let token = sign(r#"{"alg":"HS256"}"#, &payload, &EncodingKey::from_secret(key.as_bytes()), HS256);
        assert_eq!(gateway.verify_at(&token, NOW), Err(IdentityError::Expired { at: NOW - 1, now: NOW }));
    }
}
