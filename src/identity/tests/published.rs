//! Tests of published keys: which of them are used, and that a token cannot choose the key that verifies it.

use jsonwebtoken::Algorithm::{ES256, HS256, PS256, RS256};
use jsonwebtoken::jwk::Jwk;

use super::super::jwks::read;
use super::*;

/// The public half of a key of `tests/keys/`, as an issuer publishes it.
fn jwk(algorithm: Algorithm, changes: &Value) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&private_key(algorithm), algorithm).unwrap()).unwrap();
    let members = jwk.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.shift_remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    jwk
}

fn published(keys: &[Value]) -> Verifier {
    Verifier::of_keys(read(json!({"keys": keys}).to_string().as_bytes()).unwrap().keys)
}

fn token(algorithm: Algorithm, header: &Value) -> String {
    sign(&header.to_string(), &claims().to_string(), &private_key(algorithm), algorithm)
}

#[test]
fn only_keys_that_are_for_signatures_and_safe_are_used() {
    let short = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff_u8; 255]), "e": "AQAB"});
    let p521 = json!({"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"});
    for (key, fault) in [
        (jwk(RS256, &json!({})), None),
        (jwk(RS256, &json!({"use": "sig", "alg": null})), None),
        (jwk(RS256, &json!({"key_ops": ["verify"], "x5c": ["MII"], "x5t": "x", "more": {}})), None),
        (jwk(Algorithm::EdDSA, &json!({"alg": "Ed25519"})), None),
        (jwk(RS256, &json!({"use": "enc"})), Some("it is not for")),
        (jwk(RS256, &json!({"use": 7})), Some("it is not for")),
        (jwk(RS256, &json!({"key_ops": ["encrypt", "wrapKey"]})), Some("it is not for")),
        (jwk(RS256, &json!({"key_ops": []})), Some("it is not for")),
        (jwk(RS256, &json!({"key_ops": "verify"})), Some("it is not for")),
        (jwk(RS256, &json!({"alg": "HS256"})), Some("it is bound")),
        (jwk(RS256, &json!({"alg": "ES256"})), Some("it is bound")),
        (jwk(RS256, &json!({"alg": "RSA-OAEP"})), Some("it is bound")),
        (jwk(RS256, &json!({"alg": "none"})), Some("it is bound")),
        (jwk(RS256, &json!({"alg": 7})), Some("it is bound")),
        (jwk(ES256, &json!({"alg": "ES384"})), Some("it is bound")),
        (jwk(ES256, &json!({"alg": "HS256"})), Some("it is bound")),
        (jwk(HS256, &json!({})), Some("it is a secret")),
        (jwk(HS256, &json!({"kty": "RSA"})), Some("it is a secret")),
        (jwk(ES256, &json!({"d": "AQ"})), Some("it is a secret")),
        (short, Some("the RSA key has 2040 bits")),
        (jwk(RS256, &json!({"n": "AQ"})), Some("the RSA key has 1 bits")),
        (jwk(ES256, &json!({"crv": "secp256k1"})), Some("it is not an RSA")),
        (jwk(ES256, &json!({"x": "AQ"})), Some("it is not an RSA")),
        (jwk(ES256, &json!({"x": "***"})), Some("it is not an RSA")),
        (jwk(Algorithm::EdDSA, &json!({"x": "AQ"})), Some("it is not an RSA")),
        (p521, Some("it is not an RSA")),
        (json!({"kty": "quantum"}), Some("it is not an RSA")),
        (json!({}), Some("it is not an RSA")),
        (json!("key"), Some("it is not an RSA")),
        (json!(null), Some("it is not an RSA")),
    ] {
        // A bad key does not spoil the set.
        let reading = read(json!({"keys": [key, jwk(ES256, &json!({}))]}).to_string().as_bytes()).unwrap();
        let said = reading.skipped.first().map(|(_, fault)| fault.to_string());
        assert_eq!(reading.used, if fault.is_some() { 1 } else { 2 }, "{key}: {said:?}");
        assert!(said.as_deref().unwrap_or_default().starts_with(fault.unwrap_or_default()), "{key}: {said:?}");
    }
    for none in ["", "[]", "{}", "null", r#"{"keys": {}}"#, r#"{"keys": null}"#, "<html>"] {
        assert!(read(none.as_bytes()).is_none(), "{none}");
    }
    let many = vec![jwk(ES256, &json!({})); 70];
    let reading = read(json!({"keys": many}).to_string().as_bytes()).unwrap();
    assert_eq!((reading.used, reading.skipped.len()), (64, 6));
}

#[test]
fn a_published_key_is_good_for_its_own_algorithm_or_those_of_its_type() {
    let bound = published(&[jwk(RS256, &json!({"kid": "a"}))]);
    let open = published(&[jwk(RS256, &json!({"kid": "a", "alg": null}))]);
    for (algorithm, by_bound, by_open) in
        [(RS256, true, true), (PS256, false, true), (ES256, false, false), (HS256, false, false)]
    {
        let token = token(algorithm, &json!({"alg": algorithm, "kid": "a"}));
        for (gateway, good) in [(&bound, by_bound), (&open, by_open)] {
            let expected = if good { Ok(()) } else { Err(IdentityError::WrongAlgorithm(algorithm)) };
            assert_eq!(gateway.verify_at(&token, NOW).map(|_| ()), expected, "{algorithm:?}");
        }
    }
}

#[test]
fn what_everybody_knows_of_a_key_is_no_secret() {
    let rsa = jwk(RS256, &json!({"kid": "a", "alg": null}));
    let gateways = [verifier([public(RS256, RSA_PUBLIC).named("a")]), published(std::slice::from_ref(&rsa))];
    let modulus = rsa["n"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    for secret in
        [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes(), modulus.as_bytes(), &raw, rsa.to_string().as_bytes(), b""]
    {
        for header in [json!({"alg": "HS256", "kid": "a"}), json!({"alg": "HS256"})] {
            let forged = sign(&header.to_string(), &claims().to_string(), &EncodingKey::from_secret(secret), HS256);
            for gateway in &gateways {
                assert_eq!(gateway.verify_at(&forged, NOW), Err(IdentityError::WrongAlgorithm(HS256)));
            }
        }
    }
}

#[test]
fn a_token_has_no_say_in_what_it_is_checked_with() {
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let mallory = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    let own = serde_json::to_value(Jwk::from_encoding_key(&mallory, ES256).unwrap()).unwrap();
    let gateways = [
        verifier([public(ES256, pem!("ec-p256.test-public")).named("a")]),
        published(&[jwk(ES256, &json!({"kid": "a"}))]),
    ];
    let url = "https://mallory.example.com/keys";
    let (bad, unknown) = (IdentityError::BadSignature, IdentityError::UnknownKey);
    for (more, refusal) in [
        (json!({}), bad.clone()),
        (json!({"jwk": own}), bad.clone()),
        (json!({"jku": url}), bad.clone()),
        (json!({"x5u": url}), bad.clone()),
        (json!({"x5c": ["MIIB"], "x5t": "AA", "x5t#S256": "AA"}), bad.clone()),
        (json!({"kid": "a", "jwk": own, "jku": url}), bad.clone()),
        (json!({"kid": null}), bad.clone()),
        (json!({"kid": ""}), unknown.clone()),
        (json!({"kid": "A"}), unknown.clone()),
        (json!({"kid": "a\u{0}"}), unknown.clone()),
        (json!({"kid": " a"}), unknown.clone()),
        (json!({"kid": "../../../../dev/null"}), unknown.clone()),
        (json!({"kid": "/proc/self/environ"}), unknown.clone()),
        (json!({"kid": "' UNION SELECT 'secret' --"}), unknown.clone()),
        (json!({"kid": "a' OR '1'='1"}), unknown.clone()),
        (json!({"kid": "a; curl https://mallory.example.com"}), unknown.clone()),
        (json!({"kid": url}), unknown.clone()),
        (json!({"kid": "x".repeat(4000)}), unknown),
        (json!({"kid": ["a"]}), IdentityError::Malformed(Malformed::NotAnObject(Segment::Header))),
        (json!({"kid": {"a": 1}}), IdentityError::Malformed(Malformed::NotAnObject(Segment::Header))),
        (json!({"crit": ["jwk"], "jwk": own}), IdentityError::CriticalHeader),
        (json!({"alg": "none"}), IdentityError::UnknownAlgorithm),
        (json!({"alg": ["ES256"]}), IdentityError::Malformed(Malformed::NotAnObject(Segment::Header))),
    ] {
        let mut header = json!({"alg": "ES256", "typ": "JWT"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let forged = sign(&header.to_string(), &claims().to_string(), &mallory, ES256);
        for gateway in &gateways {
            assert_eq!(gateway.verify_at(&forged, NOW), Err(refusal.clone()), "{more}");
        }
    }
    // Header fields that the gateway ignores do no harm to a valid token.
    let good = token(ES256, &json!({"alg": "ES256", "kid": "a", "jku": url, "jwk": own, "x5c": ["MIIB"]}));
    assert!(gateways.iter().all(|gateway| gateway.verify_at(&good, NOW).is_ok()));
}
