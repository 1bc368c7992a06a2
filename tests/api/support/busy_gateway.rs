//! A gateway that has had one request of each kind, and its metrics.

use std::sync::Arc;

use reqwest::Method;

use super::account::Account;
use super::authority::Authority;
use super::form::Form;
use super::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use super::provider::{Provider, Reply, key};
use super::scrape::Scrape;
use super::{audio, token};

pub(crate) const SETTINGS: &str = r#"
[models.gpt-4o-transcribe]
fallbacks = ["other-row"]
[models.other-row]
provider = "second"
usd_per_minute = "0.06"
[plans.few]
requests_per_minute = 1
burst = 1
[plans.any]
models = ["*"]
"#;

/// A gateway that has had one of everything, and a page of what it says about that.
pub(crate) struct Busy {
    pub(crate) gateway: Gateway,
    pub(crate) scrape: Scrape,
    pub(crate) before: Scrape,
    pub(crate) bytes: u64,
    pub(crate) second: Provider,
}

impl Busy {
    /// Two whole answers and a stream, one try that fails and is made again, one that falls back, a caller without a right
    /// to be one and a caller with too many requests.
    pub(crate) async fn gateway() -> Self {
        let second = Provider::with_keys(&[&key("second")]);
        let setup = Setup::new().short_backoff().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "0");
        let setup = setup.tls(&Arc::new(Authority::new()));
        let gateway = setup.provider("second", &second, &key("second")).more(SETTINGS).start().await;
        let before = Scrape::of(&gateway).await;
        let audio = audio::wav(1000);
        let form = || Form::new().file(&audio);
        for _ in 0..2 {
            assert_eq!(gateway.transcribe(form()).await.status, 200);
        }
        assert_eq!(gateway.transcribe(form().field("stream", "true")).await.events().last().unwrap(), "[DONE]");
        gateway.provider.answer(Reply::error(500));
        assert_eq!(gateway.transcribe(form()).await.served(), ("openai", 2));
        gateway.provider.answer(Reply::error(500));
        let fallback = gateway.transcribe(form().field("model", "gpt-4o-transcribe")).await;
        assert_eq!(fallback.served(), ("second", 2));
        let unknown = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token::altered());
        gateway.send(form().on(unknown)).await.is_error(401, "invalid_token", None);
        let few = Account::of("carol", "few");
        assert_eq!(few.send(&gateway, form()).await.status, 200);
        few.send(&gateway, form()).await.is_error(429, "rate_limit_exceeded", None);
        let scrape = Scrape::when(&gateway, |scrape| {
            scrape.count("voxgate_requests_total", &[]) == 8
                && scrape.count("voxgate_store_duration_seconds_count", &[("operation", "settle")]) == 6
        });
        let scrape = scrape.await;
        Self { gateway, scrape, before, bytes: u64::try_from(audio.len()).unwrap(), second }
    }
}
