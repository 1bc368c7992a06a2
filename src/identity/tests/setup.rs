//! Tests of keys that could not protect anything: the gateway refuses them at start, each by name.

use jsonwebtoken::Algorithm::{ES256, ES384, EdDSA, HS256, PS256, RS256};

use super::*;

fn errors(keys: impl Into<Vec<KeySpec>>) -> Vec<String> {
    let errors = Verifier::new(keys.into(), Rules::default()).expect_err("the keys are bad");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_key_that_does_not_fit_is_named_with_the_reason() {
    let p256 = pem!("ec-p256.test-public");
    let p384 = pem!("ec-p384.test-public");
    let unreadable = "the PEM text holds no RSA, P-256, P-384 or Ed25519 public key that can be read";
    let private = "this is a private key; give the public key that belongs to it, and keep this one with the issuer";
    for (key, reason) in [
        (secret(HS256, ""), "the secret is empty"),
        (secret(HS256, RSA_PUBLIC), "the secret is a PEM text; HS256 needs a secret of its own, not a key pair"),
        (secret(RS256, SECRET), "RS256 is checked with a public key, and this is a secret"),
        (public(HS256, RSA_PUBLIC), "HS256 is checked with a secret, and this is a public key"),
        (public(RS256, ""), unreadable),
        (public(RS256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"), unreadable),
        (public(RS256, &RSA_PUBLIC[..200]), unreadable),
        (public(RS256, SECRET), unreadable),
        (public(RS256, RSA_PRIVATE), private),
        (public(ES256, pem!("ec-p256.test-private")), private),
        (public(PS256, p256), "PS256 needs an RSA key, and this is a P-256 key"),
        (public(ES256, RSA_PUBLIC), "ES256 needs a P-256 key, and this is an RSA key"),
        (public(ES256, p384), "ES256 needs a P-256 key, and this is a P-384 key"),
        (public(ES384, p256), "ES384 needs a P-384 key, and this is a P-256 key"),
        (public(EdDSA, p256), "EdDSA needs an Ed25519 key, and this is a P-256 key"),
        (public(ES256, pem!("ed25519.test-public")), "ES256 needs a P-256 key, and this is an Ed25519 key"),
        (public(RS256, pem!("rsa-1024.test-public")), "the RSA key has 1024 bits; 2048 is the least"),
    ] {
        assert_eq!(errors([key.clone()]), [format!("key 1: {reason}")]);
        assert_eq!(errors([key.named("mine")]), [format!("key 1 (kid \"mine\"): {reason}")]);
    }
}

#[test]
fn public_keys_are_read_in_every_usual_wrapping() {
    for pem in [RSA_PUBLIC, pem!("rsa-2048.test-public-pkcs1"), pem!("rsa-2048.test-certificate")] {
        for pem in [pem.to_owned(), pem.replace('\n', "\r\n"), format!("\n{}", pem.trim_end())] {
            let token = sign(r#"{"alg":"RS256"}"#, &claims().to_string(), &private_key(RS256), RS256);
            assert!(verifier([public(RS256, &pem)]).verify_at(&token, NOW).is_ok(), "{pem}");
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let keys = [
        secret(HS256, SECRET).named("a"),
        secret(HS256, "").named("b"),
        secret(HS256, OTHER_SECRET).named("a"),
        public(RS256, "x"),
    ];
    assert_eq!(
        errors(keys),
        [
            "key 2 (kid \"b\"): the secret is empty",
            "key 3 (kid \"a\") has the kid of key 1 (kid \"a\")",
            "key 4: the PEM text holds no RSA, P-256, P-384 or Ed25519 public key that can be read",
        ]
    );
    assert_eq!(errors([]), ["there is no key to check tokens with"]);
}

#[test]
fn a_short_secret_can_be_told() {
    for (bytes, short) in [(0, true), (MIN_SECRET_BYTES - 1, true), (MIN_SECRET_BYTES, false)] {
        assert_eq!(is_short_secret(&SecretString::from("x".repeat(bytes))), short, "{bytes}");
    }
}

#[test]
fn keys_do_not_show_themselves() {
    let specs = vec![secret(HS256, SECRET), public(RS256, RSA_PUBLIC)];
    let shown = format!("{specs:?} {:?}", verifier(specs.clone()));
    assert!(
        !shown.contains(SECRET) && !shown.contains("BEGIN") && !shown.contains(&format!("{}, ", SECRET.as_bytes()[0]))
    );
}

#[test]
fn one_verifier_serves_every_thread() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&gateway());
}
