//! `require_https`: what did not come over HTTPS, to here or to a proxy that is trusted, is not served.

use reqwest::Method;

use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::wire::request_head;
use crate::support::{audio, token};

async fn start(proxies: &str) -> Gateway {
    let setup = Setup::new().env("VOXGATE_SERVER__REQUIRE_HTTPS", "true");
    setup.env("VOXGATE_SERVER__TRUSTED_PROXIES", proxies).start().await
}

#[tokio::test]
async fn a_trusted_proxys_word_is_taken_for_it() {
    let gateway = start("10.0.0.0/8, 127.0.0.1").await;
    for (name, value, is_served) in [
        ("x-forwarded-proto", "https", true),
        ("forwarded", "for=192.0.2.60;proto=https", true),
        ("x-forwarded-proto", "http", false),
        ("x-forwarded-proto", "https, http", false),
        ("x-forwarded-proto", "http, https", false),
        ("forwarded", "for=192.0.2.60", false),
        ("x-unrelated", "https", false),
    ] {
        let request = gateway.get("/v1/models").header(name, value);
        let answer = gateway.send(request).await;
        if is_served {
            assert_eq!(answer.status, 200, "{name}: {value}");
            assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
        } else {
            answer.is_error(403, "https_required", None);
            assert_eq!(answer.header("strict-transport-security"), None, "RFC 6797 §7.2");
        }
    }
}

#[tokio::test]
async fn nobody_elses_word_is() {
    let gateway = start("10.0.0.0/8,192.0.2.1").await;
    let request = gateway.get("/v1/models").header("x-forwarded-proto", "https");
    gateway.send(request).await.is_error(403, "https_required", None);
    // Probes come from near by, and say nothing.
    assert_eq!(gateway.send(gateway.request(Method::GET, "/health/live")).await.status, 200);
    assert_eq!(gateway.send(gateway.request(Method::GET, "/health/ready")).await.status, 200);
}

#[tokio::test]
async fn what_is_refused_is_refused_before_its_body_and_recorded() {
    let gateway = start("127.0.0.1/32").await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut wire = gateway.wire().await;
        wire.send(request_head(&token::good(), "audio/wav", 1_000_000, expect)).await;
        let answer = wire.head().await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("x-request-id: "), "{answer}");
    }
    gateway.log.recorded(2).await;
    for line in gateway.log.requests() {
        assert_eq!((&line["status"], &line["error"]), (&403.into(), &"https_required".into()), "{line}");
    }
    let request = gateway.post(crate::support::gateway::TRANSCRIPTIONS).header("x-forwarded-proto", "https");
    assert_eq!(gateway.send(Form::new().file(&audio::wav(300)).on(request)).await.status, 200);
}

#[tokio::test]
async fn settings_by_which_nothing_could_be_served_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (proxies, what) in [
        (
            "",
            "server.require_https (VOXGATE_SERVER__REQUIRE_HTTPS): no request could come over HTTPS: set tls_cert and tls_key, or trusted_proxies",
        ),
        ("10.0.0.0/33", "server.trusted_proxies (VOXGATE_SERVER__TRUSTED_PROXIES): got "),
        ("proxy.example.com", "server.trusted_proxies (VOXGATE_SERVER__TRUSTED_PROXIES): got "),
    ] {
        let variables = [("VOXGATE_SERVER__REQUIRE_HTTPS", "true"), ("VOXGATE_SERVER__TRUSTED_PROXIES", proxies)];
        let output = run(&["check"], &variables, folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(what), "{proxies}: {said}");
    }
}
