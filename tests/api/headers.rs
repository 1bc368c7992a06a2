//! Only the headers of a list cross the gateway, in either direction.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Reply, answer};

#[tokio::test]
async fn nothing_of_the_client_reaches_the_provider() {
    let gateway = Gateway::start().await;
    let request = gateway
        .post(TRANSCRIPTIONS)
        .header("cookie", "session=1")
        .header("openai-organization", "org-of-the-client")
        .header("openai-project", "proj_of_the_client")
        .header("x-forwarded-for", "203.0.113.7")
        .header("forwarded", "for=203.0.113.7")
        .header("x-api-key", "a key of the client")
        .header("x-stainless-lang", "python")
        .header("user-agent", "client/1")
        .header("referer", "https://client.example/");
    let got = gateway.send(Form::new().file(&audio::wav(300)).on(request)).await;
    assert_eq!(got.status, 200);
    // The provider itself refuses every header that is not on its list.
    let seen = gateway.provider.last();
    assert_eq!(seen.header("openai-organization"), None);
    assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("voxgate/")));
}

#[tokio::test]
async fn organization_and_project_come_from_the_settings() {
    let toml = "[providers.openai]\norganization = \"org-of-the-server\"\nproject = \"proj_of_the_server\"\n";
    let gateway = Setup::new().config(toml).start().await;
    let request = gateway.post(TRANSCRIPTIONS).header("openai-organization", "org-of-the-client");
    gateway.send(Form::new().file(&audio::wav(300)).on(request)).await;
    let seen = gateway.provider.last();
    assert_eq!(seen.header("openai-organization"), Some("org-of-the-server"));
    assert_eq!(seen.header("openai-project"), Some("proj_of_the_server"));
}

#[tokio::test]
async fn useful_headers_of_the_provider_are_kept_and_others_are_not() {
    let gateway = Gateway::start().await;
    let (content_type, body) = answer("json");
    let reply = Reply::whole(200, content_type, body)
        .header("openai-processing-ms", "312")
        .header("openai-version", "2020-10-01")
        .header("openai-organization", "org-of-the-server")
        .header("set-cookie", "__cf_bm=1")
        .header("server", "provider")
        .header("x-request-id", "of-the-provider")
        .header("access-control-allow-origin", "*");
    gateway.provider.answer(reply);
    let got = gateway.transcribe(Form::new().file(&audio::wav(300))).await;
    assert_eq!(got.header("openai-processing-ms"), Some("312"));
    assert_eq!(got.header("openai-version"), Some("2020-10-01"));
    for name in ["openai-organization", "set-cookie", "server", "access-control-allow-origin"] {
        assert_eq!(got.header(name), None, "{name}");
    }
    assert_ne!(got.request_id(), "of-the-provider");
}

#[tokio::test]
async fn every_answer_names_its_provider_and_a_request_id_of_its_own() {
    let gateway = Gateway::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let request = gateway.post(TRANSCRIPTIONS).header("x-request-id", "of-the-client");
        let got = gateway.send(Form::new().file(&audio::wav(300)).on(request)).await;
        assert_eq!(got.header("x-voxgate-provider"), Some("openai"));
        ids.push(got.request_id().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(!ids.contains(&"of-the-client".to_owned()));
}
