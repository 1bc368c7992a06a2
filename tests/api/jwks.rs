//! Tokens of an identity provider that publishes its keys, changes them and goes away.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gateway::{Answer, Gateway, Setup, run};
use crate::support::issuer::{Conduct, Issuer, Pair};
use crate::support::poll::until;
use crate::support::token;

const NAME: &str = "https://login.example.com";

fn claims() -> Value {
    token::claims_with(&json!({ "iss": NAME }))
}

/// A gateway that takes the issuer's keys, and those of its own.
fn before(issuer: &Issuer) -> Setup {
    Setup::new().env("VOXGATE_IDENTITY__JWKS_URL", &issuer.jwks_url()).env("VOXGATE_IDENTITY__ISSUER", NAME)
}

/// The same, where hardly any time has to lie between two fetches.
fn eager(issuer: &Issuer) -> Setup {
    before(issuer).env("VOXGATE_IDENTITY__JWKS_COOLDOWN", "20ms")
}

/// The same, which fetches once for this test.
fn patient(issuer: &Issuer) -> Setup {
    before(issuer).env("VOXGATE_IDENTITY__JWKS_COOLDOWN", "10m")
}

async fn call(gateway: &Gateway, token: &str) -> Answer {
    gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(token)).await
}

#[tokio::test]
async fn tokens_of_an_issuer_and_of_an_own_secret_are_taken_side_by_side() {
    let (rsa, p256, stranger) = (Pair::rsa("one"), Pair::p256("two"), Pair::p256("two"));
    let issuer = Issuer::of(&[&rsa, &p256]);
    let gateway = before(&issuer).start().await;
    let own = token::with(&json!({ "iss": NAME }));
    for (token, status) in [
        (rsa.sign(&claims()), 200),
        (p256.sign(&claims()), 200),
        (own, 200),
        (stranger.sign(&claims()), 401),
        (rsa.sign(&token::claims_with(&json!({ "iss": "https://evil.example.com" }))), 401),
    ] {
        assert_eq!(call(&gateway, &token).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn an_own_secret_is_not_needed() {
    let pair = Pair::p256("one");
    let gateway = before(&Issuer::of(&[&pair])).without("VOXGATE_JWT_SECRET").start().await;
    assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200);
    assert_eq!(call(&gateway, &token::with(&json!({ "iss": NAME }))).await.status, 401);
}

#[tokio::test]
async fn the_keys_are_where_the_issuer_says() {
    let pair = Pair::p256("one");
    let issuer = Issuer::of(&[&pair]);
    for name in [issuer.origin(), format!("{}/", issuer.origin()), format!("{}/realms/voice", issuer.origin())] {
        issuer.calls_itself(&name);
        let setup = Setup::new().env("VOXGATE_IDENTITY__DISCOVERY", "true").env("VOXGATE_IDENTITY__ISSUER", &name);
        let gateway = setup.start().await;
        let token = pair.sign(&token::claims_with(&json!({ "iss": name })));
        assert_eq!(call(&gateway, &token).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_new_key_is_good_from_its_first_token_on() {
    let (old, new) = (Pair::rsa("old"), Pair::p256("new"));
    let issuer = Issuer::of(&[&old]);
    let gateway = eager(&issuer).start().await;
    assert_eq!(call(&gateway, &old.sign(&claims())).await.status, 200);
    // Not before: the time between two fetches is over when the issuer is asked for the second time.
    issuer.publishes(&[&old, &new]);
    let stranger = Pair::p256("stranger").sign(&claims());
    while issuer.asked() < 2 {
        assert_eq!(call(&gateway, &stranger).await.status, 401);
    }
    for pair in [&new, &old] {
        assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200, "{}", pair.kid);
    }
}

#[tokio::test]
async fn a_new_key_may_have_the_name_of_an_own_one() {
    let (old, new) = (Pair::rsa("old"), Pair::p256("main"));
    let issuer = Issuer::of(&[&old]);
    let own = format!("[[identity.keys]]\nkid = \"main\"\nalgorithm = \"HS256\"\nsecret = \"{}\"\n", token::SECRET);
    let gateway = eager(&issuer).without("VOXGATE_JWT_SECRET").config(&own).start().await;
    assert_eq!(call(&gateway, &old.sign(&claims())).await.status, 200);
    issuer.publishes(&[&old, &new]);
    until("the issuer is asked", async || {
        let answer = call(&gateway, &new.sign(&claims())).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.status) }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_good_until_the_next_fetch() {
    let (old, new) = (Pair::rsa("old"), Pair::p256("new"));
    let issuer = Issuer::of(&[&old]);
    issuer.header("cache-control: public, max-age=0, must-revalidate");
    let gateway = eager(&issuer).start().await;
    assert_eq!(call(&gateway, &old.sign(&claims())).await.status, 200);
    issuer.publishes(&[&new]);
    gateway.log.find("the new key", |line| (line.contains("were fetched") && line.contains("new")).then_some(())).await;
    assert_eq!(call(&gateway, &old.sign(&claims())).await.status, 401);
    assert_eq!(call(&gateway, &new.sign(&claims())).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_made_up_keys_asks_the_issuer_once() {
    let (good, bad) = (Pair::rsa("good"), Pair::p256("made-up"));
    let issuer = Issuer::of(&[&good]);
    let tokens: Vec<_> = (0..30).map(|_| bad.sign(&claims())).collect();
    issuer
        .silent(async {
            let gateway = patient(&issuer).env("VOXGATE_IDENTITY__JWKS_TIMEOUT", "500ms").start().await;
            for answer in join_all(tokens.iter().map(|token| call(&gateway, token))).await {
                answer.is_error(503, "issuer_unavailable", None);
            }
        })
        .await;
    assert_eq!(issuer.asked(), 1);

    let gateway = patient(&issuer).start().await;
    for answer in join_all(tokens.iter().map(|token| call(&gateway, token))).await {
        answer.is_error(401, "invalid_token", None);
    }
    assert_eq!(call(&gateway, &good.sign(&claims())).await.status, 200);
    // Even one that is there by now has to wait its time.
    issuer.publishes(&[&good, &bad]);
    assert_eq!(call(&gateway, &tokens[0]).await.status, 401);
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn requests_wait_for_keys_that_are_on_their_way_but_not_for_long() {
    let pair = Pair::p256("one");
    let issuer = Issuer::of(&[&pair]);
    issuer
        .silent(async {
            let gateway = patient(&issuer).env("VOXGATE_IDENTITY__JWKS_TIMEOUT", "100ms").start().await;
            let answer = call(&gateway, &pair.sign(&claims())).await;
            answer.is_error(503, "issuer_unavailable", None);
            assert_eq!(call(&gateway, &token::with(&json!({ "iss": NAME }))).await.status, 200);
        })
        .await;
    let issuer = Issuer::of(&[&pair]);
    let gateway = patient(&issuer).start().await;
    // Whether they are there by now or not.
    assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200);
}

#[tokio::test]
async fn while_the_issuer_is_down_its_keys_stay_good() {
    let pair = Pair::p256("one");
    let issuer = Issuer::of(&[&pair]);
    issuer.header("cache-control: max-age=0");
    let gateway = eager(&issuer).start().await;
    gateway.log.event("the issuer's keys were fetched").await;
    for conduct in [
        Conduct::Away,
        Conduct::Says("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned()),
        Conduct::Says("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<html".to_owned()),
    ] {
        issuer.conducts_itself(conduct);
        issuer.was_asked(issuer.asked() + 2).await;
        assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200);
        call(&gateway, &Pair::p256("other").sign(&claims())).await.is_error(401, "invalid_token", None);
    }
    gateway.log.event("the issuer's keys cannot be fetched; those of before are kept").await;
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_keeps_only_its_own_callers_waiting() {
    let pair = Pair::p256("one");
    let issuer = Issuer::start(Conduct::Away);
    let gateway = eager(&issuer).start().await;
    gateway.log.event("the issuer's keys cannot be fetched; its tokens are refused").await;
    let answer = call(&gateway, &pair.sign(&claims())).await;
    answer.is_error(503, "issuer_unavailable", None);
    assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), (Some("1"), None));
    assert_eq!(call(&gateway, &token::with(&json!({ "iss": NAME }))).await.status, 200);
    for bad in ["nonsense", &token::unsigned(), &token::altered()] {
        call(&gateway, bad).await.is_error(401, "invalid_token", None);
    }
    issuer.publishes(&[&pair]);
    gateway.log.event("the issuer's keys were fetched").await;
    assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200);
}

#[tokio::test]
async fn issuer_keys_survive_a_reload_unless_their_address_changes() {
    let pair = Pair::p256("one");
    let issuer = Issuer::of(&[&pair]);
    let settings = |path: &str, timeout: &str, requests: u32| {
        let url = format!("{}/{path}", issuer.origin());
        format!(
            "[identity]\nissuer = \"{NAME}\"\njwks_url = \"{url}\"\njwks_timeout = \"{timeout}\"\n\
             [plans.default]\nrequests_per_minute = {requests}\n"
        )
    };
    let gateway = Setup::new().config(&settings("keys", "5s", 100)).start().await;
    assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, 200);
    issuer.conducts_itself(Conduct::Away);
    for (times, (path, timeout, requests, status)) in
        (1..).zip([("keys", "5s", 200, 200), ("keys", "9s", 200, 200), ("elsewhere", "9s", 200, 503)])
    {
        gateway.configure(&settings(path, timeout, requests));
        gateway.signal("HUP");
        gateway.log.events("the settings were read again and are in force", times).await;
        assert_eq!(call(&gateway, &pair.sign(&claims())).await.status, status, "{path} {timeout}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_in_the_settings_no_more_is_not_asked_any_more() {
    let pair = Pair::p256("one");
    let [old, new] = [(); 2].map(|()| Issuer::of(&[&pair]));
    let settings = |issuer: &Issuer| {
        issuer.header("cache-control: max-age=0");
        let url = issuer.jwks_url();
        format!("[identity]\nissuer = \"{NAME}\"\njwks_url = \"{url}\"\njwks_cooldown = \"20ms\"\n")
    };
    let gateway = Setup::new().config(&settings(&old)).start().await;
    old.was_asked(2).await;
    gateway.configure(&settings(&new));
    gateway.signal("HUP");
    // One question may be on its way when the settings change.
    new.was_asked(3).await;
    let asked = old.asked();
    new.was_asked(10).await;
    assert_eq!(old.asked(), asked);
}

#[tokio::test]
async fn an_issuer_on_this_machine_is_not_asked_through_a_proxy() {
    let (good, bad) = (Pair::p256("one"), Pair::p256("two"));
    let (issuer, proxy) = (Issuer::of(&[&good]), Issuer::of(&[&bad]));
    let gateway = before(&issuer).env("HTTP_PROXY", &proxy.origin()).start().await;
    assert_eq!(call(&gateway, &good.sign(&claims())).await.status, 200);
    assert_eq!(call(&gateway, &bad.sign(&claims())).await.status, 401);
    assert_eq!(proxy.asked(), 0);
}

/// What `voxgate check` says of the issuer's keys.
fn checked(variables: &[(&str, &str)]) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let output = run(&["check"], variables, folder.path());
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.starts_with("issuer's keys")).unwrap_or_else(|| panic!("{said}"));
    (output.status.success(), line.to_owned())
}

#[test]
fn a_check_says_what_is_wrong_with_the_issuers_keys() {
    let pair = Pair::p256("one");
    let other = Issuer::of(&[&pair]);
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.jwks_url());
    let mut encryption = pair.jwk();
    encryption["use"] = "enc".into();
    for (conduct, well, words) in [
        (Conduct::Publishes(vec![pair.jwk()]), true, "publishes 1 that can be used"),
        (Conduct::Publishes(vec![pair.jwk(), encryption.clone()]), true, "and 1 that cannot"),
        (Conduct::Publishes(vec![encryption]), false, "no key that can be used"),
        (Conduct::Away, false, "cannot be reached"),
        (Conduct::Says(redirect), false, "status 302"),
        (Conduct::Says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()), false, "not a set of keys"),
        (Conduct::Endless, false, "more than 262144 bytes"),
    ] {
        let issuer = Issuer::start(conduct);
        let url = issuer.jwks_url();
        let said = checked(&[("VOXGATE_IDENTITY__JWKS_URL", url.as_str()), ("VOXGATE_IDENTITY__ISSUER", NAME)]);
        assert!(said.0 == well && said.1.contains(words) && said.1.contains(&url), "{said:?}");
    }
    assert_eq!(other.asked(), 0, "a redirect is not followed");
}

#[test]
fn a_configuration_of_another_issuer_is_not_believed() {
    let issuer = Issuer::of(&[&Pair::p256("one")]);
    let name = issuer.origin();
    let variables = [("VOXGATE_IDENTITY__DISCOVERY", "true"), ("VOXGATE_IDENTITY__ISSUER", name.as_str())];
    assert!(checked(&variables).0);
    issuer.calls_itself(NAME);
    assert!(checked(&variables).1.contains("another issuer"));
    let body = json!({ "issuer": name, "jwks_uri": "http://login.example.com/keys" }).to_string();
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    issuer.conducts_itself(Conduct::Says(text));
    assert!(checked(&variables).1.contains("https://"));
}

#[test]
fn settings_that_would_trust_too_much_are_refused() {
    let folder = TempDir::new().unwrap();
    let url = "https://login.example.com/keys";
    for (variables, words) in [
        (vec![("JWKS_URL", "http://login.example.com/keys"), ("ISSUER", NAME)], "identity.jwks_url"),
        (vec![("JWKS_URL", "https://a:hidden-word@login.example.com"), ("ISSUER", NAME)], "identity.jwks_url"),
        (vec![("JWKS_URL", url)], "identity.issuer"),
        (vec![("JWKS_URL", url), ("DISCOVERY", "true"), ("ISSUER", NAME)], "identity.discovery"),
        (vec![("DISCOVERY", "true")], "identity.issuer"),
        (vec![("DISCOVERY", "true"), ("ISSUER", "http://login.example.com")], "identity.issuer"),
        (vec![("JWKS_URL", url), ("ISSUER", NAME), ("JWKS_COOLDOWN", "1h")], "identity.jwks_cooldown"),
    ] {
        let named: Vec<_> = variables.iter().map(|(key, value)| (format!("VOXGATE_IDENTITY__{key}"), *value)).collect();
        let named: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let said = String::from_utf8(run(&["check"], &named, folder.path()).stderr).unwrap();
        assert!(said.contains(words) && !said.contains("hidden-word"), "{variables:?}: {said}");
    }
}
