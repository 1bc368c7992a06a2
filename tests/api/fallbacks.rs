//! Rows that stand in for another: who is asked, in which order, and what is charged.

use serde_json::json;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::money::{GPT_TRANSCRIBE, nano_usd};
use crate::support::provider::{Framing, Gate, Provider, Reply, events, key};
use crate::support::wire::request_head;
use crate::support::{audio, token};

/// Two providers that stand in for OpenAI, by these rows.
struct Others {
    second: Provider,
    third: Provider,
}

impl Others {
    fn start() -> Self {
        Self { second: Provider::with_keys(&[&key("second")]), third: Provider::with_keys(&[&key("third")]) }
    }

    fn setup(&self, rows: &str) -> Setup {
        let setup = Setup::new().short_backoff().env("VOXGATE_UPSTREAM__BREAKER_FAILURES", "0");
        let setup = setup.provider("second", &self.second, &key("second"));
        setup.provider("third", &self.third, &key("third")).more(rows)
    }
}

/// What a second of audio costs in billionths of a dollar at `second` and at `third`.
const SECOND: u64 = 1_000_000;
const THIRD: u64 = 10_000;

const ROWS: &str = r#"
[models.gpt-transcribe]
fallbacks = ["dear", "cheap"]
[models.dear]
provider = "second"
upstream_model = "dear-large-v3"
usd_per_minute = "0.06"
[models.cheap]
provider = "third"
formats = ["json"]
options = ["language"]
usd_per_minute = "0.0006"
"#;

async fn ask(gateway: &Gateway) -> Answer {
    gateway.transcribe(Form::new().file(&audio::wav(300))).await
}

#[tokio::test]
async fn fallbacks_are_tried_in_order_and_the_answer_names_the_one() {
    let others = Others::start();
    let gateway = others.setup(ROWS).start().await;
    assert_eq!(ask(&gateway).await.served(), ("openai", 1));
    gateway.provider.answer_always(Reply::error(503));
    assert_eq!(ask(&gateway).await.served(), ("second", 2));
    assert_eq!(others.second.last().field("model"), Some("dear-large-v3"));
    others.second.answer_always(Reply::error(500));
    assert_eq!(ask(&gateway).await.served(), ("third", 3));
    assert_eq!(others.third.last().field("model"), Some("cheap"));
    assert_eq!((gateway.provider.tries(), others.second.tries(), others.third.tries()), (3, 2, 1));
    // Where all fail, it is the last one's error.
    others.third.answer_always(Reply::error(502));
    let got = ask(&gateway).await;
    got.is_error(502, "from_provider", None);
    assert_eq!(got.served(), ("third", 3));
}

#[tokio::test]
async fn the_fallback_that_served_is_charged_and_recorded() {
    let others = Others::start();
    let gateway = others.setup(ROWS).start().await;
    let failed = || Reply::error(500);
    let cases = [(0, "openai", GPT_TRANSCRIBE), (1, "second", SECOND), (2, "third", THIRD)];
    for (failures, provider, price) in cases {
        let alice = Account::of(&format!("alice-{failures}"), "default");
        for failing in [&*gateway.provider, &others.second].into_iter().take(failures) {
            failing.answer(failed());
        }
        assert_eq!(alice.transcribe(&gateway, 3000).await.served(), (provider, failures + 1));
        let usage = alice.settled(&gateway).await;
        assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * price, "{usage}");
        assert_eq!(usage["by_model"][0]["model"], "gpt-transcribe", "{usage}");
        let arguments = ["usage", "--records", "--subject", &alice.subject, "--format", "json"];
        let listed = gateway.command(&arguments);
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let record = &listed["records"][0];
        assert_eq!((&record["provider"], &record["model"]), (&json!(provider), &json!("gpt-transcribe")), "{record}");
        // What was charged before is the dearest of them.
        assert_eq!(nano_usd(&record["estimate_usd"]), 3 * SECOND, "{record}");
    }
}

#[tokio::test]
async fn a_budget_must_suffice_for_the_dearest() {
    let others = Others::start();
    let plans = "[plans.poor]\nmonthly_usd = \"0.002\"\n[plans.rich]\nmonthly_usd = \"0.003\"";
    let gateway = others.setup(ROWS).more(plans).start().await;
    let ask = |plan: &'static str| {
        let (account, gateway) = (Account::of(plan, plan), &gateway);
        async move { account.transcribe(gateway, 3000).await }
    };
    // Enough for the one that was asked for would be 0.000225.
    ask("poor").await.is_error(429, "insufficient_quota", None);
    assert_eq!(ask("rich").await.status, 200);
    assert_eq!((gateway.provider.tries(), others.second.tries()), (1, 0));
}

#[tokio::test]
async fn one_that_cannot_do_the_job_is_not_asked() {
    let others = Others::start();
    let more = "[models.whisper-1]\nfallbacks = [\"cheap\"]\n[models.unpriced]\nprovider = \"second\"\n\
                [models.gpt-4o-transcribe]\nfallbacks = [\"unpriced\"]\n[plans.poor]\nmonthly_usd = \"1.00\"";
    let gateway = others.setup(ROWS).more(more).start().await;
    gateway.provider.answer_always(Reply::error(500));
    let of = |fields: &[(&str, &str)]| Form::new().field("model", "whisper-1").fields(fields).file(&audio::wav(300));
    let refused = [
        of(&[("response_format", "srt")]),
        of(&[("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]),
        of(&[("prompt", "a prompt")]),
    ];
    for form in refused {
        let got = gateway.transcribe(form).await;
        assert_eq!((got.status, got.served()), (500, ("openai", 3)));
    }
    assert_eq!(others.third.tries(), 0);
    assert_eq!(gateway.transcribe(of(&[("language", "en")])).await.served(), ("third", 2));
    // Nobody knows what it costs, which matters to who has a budget.
    let form = || Form::new().field("model", "gpt-4o-transcribe").file(&audio::wav(300));
    let (poor, rich) = (Account::of("poor", "poor"), Account::of("rich", "default"));
    assert_eq!(poor.send(&gateway, form()).await.served(), ("openai", 3));
    assert_eq!(rich.send(&gateway, form()).await.served(), ("second", 2));
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_the_same_everywhere() {
    let others = Others::start();
    let gateway = others.setup(ROWS).start().await;
    gateway.provider.answer(Reply::error(400));
    let got = ask(&gateway).await;
    got.is_error(400, "from_provider", None);
    assert_eq!((got.served(), others.second.tries()), (("openai", 1), 0));
}

#[tokio::test]
async fn an_answer_that_would_never_be_another_is_sought_elsewhere() {
    let others = Others::start();
    let gateway = others.setup(ROWS).env("VOXGATE_UPSTREAM__MAX_ANSWER_BYTES", "10000").start().await;
    let large = Reply::json(200, &json!({ "text": "x".repeat(20_000) }));
    gateway.provider.answer(large.clone());
    assert_eq!(ask(&gateway).await.served(), ("second", 2));
    for provider in [&*gateway.provider, &others.second, &others.third] {
        provider.answer_always(large.clone());
    }
    let got = ask(&gateway).await;
    got.is_error(502, "provider_error", None);
    assert_eq!(got.served(), ("third", 3));
}

#[tokio::test]
async fn rows_with_a_weight_share_the_first_tries() {
    let others = Others::start();
    let rows = r#"
        [models.gpt-transcribe]
        weight = 3
        fallbacks = [{ model = "second", weight = 1 }, "third"]
        [models.second]
        provider = "second"
        [models.third]
        provider = "third"
    "#;
    let gateway = others.setup(rows).start().await;
    for _ in 0..200 {
        assert_eq!(ask(&gateway).await.served().1, 1);
    }
    let (first, second) = (gateway.provider.tries(), others.second.tries());
    assert_eq!((first + second, others.third.tries()), (200, 0));
    // A quarter of 200, give or take five times what chance gives.
    assert!((20..=80).contains(&second), "{second}");
    // Each stands in for the other before the one without a weight does.
    gateway.provider.answer_always(Reply::error(500));
    for _ in 0..10 {
        assert_eq!(ask(&gateway).await.served().0, "second");
    }
    others.second.answer_always(Reply::error(500));
    assert_eq!(ask(&gateway).await.served(), ("third", 3));
}

#[tokio::test]
async fn a_stream_is_taken_over_before_its_first_event_and_never_after() {
    let others = Others::start();
    let gateway = others.setup(ROWS).start().await;
    let form = || Form::new().field("stream", "true").file(&audio::wav(300));
    gateway.provider.answer(Reply::stream().close());
    let got = gateway.transcribe(form()).await;
    assert_eq!(got.served(), ("second", 2));
    assert_eq!(got.text(), Framing::PLAIN.all(&events()) + "data: [DONE]\n\n");
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).close());
    let got = gateway.transcribe(form()).await;
    assert_eq!((got.served(), others.second.tries()), (("openai", 1), 1));
    assert!(got.text().contains("provider_stream_broken"));
}

#[tokio::test]
async fn a_client_that_leaves_pays_by_the_row_that_had_its_recording() {
    let others = Others::start();
    let gateway = others.setup(ROWS).start().await;
    gateway.provider.answer(Reply::error(500));
    others.second.answer(Reply::stream().held_by(&Gate::closed()));
    let bytes = Form::new().file(&audio::wav(3000)).bytes();
    let mut wire = gateway.wire().await;
    let token = token::with(&json!({ "sub": "alice" }));
    wire.send(request_head(&token, &Form::content_type(), bytes.len(), "")).await;
    wire.send(&bytes).await;
    others.second.asked(1).await;
    drop(wire);
    others.second.hung_up(1).await;
    let usage = Account::of("alice", "default").settled(&gateway).await;
    assert_eq!(nano_usd(&usage["total"]["spent_usd"]), 3 * SECOND);
}

#[tokio::test]
async fn another_model_of_the_same_provider_stands_in_unless_the_provider_itself_is_away() {
    let rows = "[models.gpt-transcribe]\nfallbacks = [\"gpt-4o-transcribe\"]";
    let setup = || {
        let waits = [("VOXGATE_UPSTREAM__BACKOFF", "2m"), ("VOXGATE_UPSTREAM__MAX_BACKOFF", "2m")];
        waits.iter().fold(Setup::new().more(rows), |setup, (name, value)| setup.env(name, value))
    };
    let gateway = setup().start().await;
    gateway.provider.answer(Reply::error(503));
    assert_eq!(ask(&gateway).await.served(), ("openai", 2));
    let models: Vec<_> = gateway.provider.all().iter().map(|seen| seen.field("model").unwrap().to_owned()).collect();
    assert_eq!(models, ["gpt-transcribe", "gpt-4o-transcribe"]);
    // Where no connection holds, another model would fare no better: it would be waited for, and not for so long.
    let gateway = setup().start().await;
    gateway.provider.answer(Reply::hang_up());
    assert_eq!(ask(&gateway).await.served(), ("openai", 1));
}
