//! Providers that differ from OpenAI on the wire, each by its preset: what they are sent, held against what their
//! documentation says. The real services are not asked; docs/providers.md says where each of these comes from.

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS, TRANSLATIONS};
use crate::support::provider::{Expectations, Framing, Provider, Reply, Seen, TRANSCRIPT, events, key};

/// The block of docs/providers.md that follows this heading, with the real address and key replaced by the test's.
fn documented(heading: &str, real: &str, base_url: &str, secret: &str) -> String {
    let text = include_str!("../../docs/providers.md");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.contains(real), "{block}");
    let key_line = |line: &str| line.starts_with("api_key_file");
    let lines = block.lines().map(|line| match line {
        line if key_line(line) => format!("api_key = \"{secret}\""),
        line => line.replace(real, base_url),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A gateway with the documented settings, and a provider of that kind.
async fn gateway(heading: &str, real: &str, path: &str, terms: Expectations) -> Gateway {
    let secret = terms.keys.first().cloned().unwrap_or_default();
    let provider = Provider::on(terms);
    let toml = documented(heading, real, &(provider.origin() + path), &secret);
    Setup::with_provider(provider.into()).config(&toml).start().await
}

fn keyed(name: &str) -> Expectations {
    Expectations { keys: vec![key(name)], ..Expectations::default() }
}

async fn ask(gateway: &Gateway, path: &str, model: &str, fields: &[(&str, &str)]) -> Answer {
    let form = Form::new().field("model", model).fields(fields).file(&audio::wav(300));
    gateway.send(form.on(gateway.post(path))).await
}

/// What a transcription by this model is sent as, once it has been answered.
async fn sent(gateway: &Gateway, path: &str, model: &str, fields: &[(&str, &str)]) -> Seen {
    let got = ask(gateway, path, model, fields).await;
    assert_eq!(got.status, 200, "{model} {fields:?}: {}", got.text());
    gateway.provider.last()
}

/// A stream that the gateway makes itself: the provider is not asked for one.
async fn streams_by_the_gateway(gateway: &Gateway, model: &str) {
    let got = ask(gateway, TRANSCRIPTIONS, model, &[("stream", "true")]).await;
    let events = got.events();
    let done: Value = serde_json::from_str(&events[0]).unwrap();
    assert_eq!((done["type"].as_str(), done["text"].as_str()), (Some("transcript.text.done"), Some(TRANSCRIPT)));
    assert_eq!(gateway.provider.last().field("stream"), None);
}

/// That the row refuses this by itself.
async fn refuses(gateway: &Gateway, model: &str, fields: &[(&str, &str)]) {
    let before = gateway.provider.requests();
    let got = ask(gateway, TRANSCRIPTIONS, model, fields).await;
    assert_eq!((got.status, got.error()["code"].as_str()), (400, Some("unsupported_value")), "{}", got.text());
    assert_eq!(gateway.provider.requests(), before);
}

#[tokio::test]
async fn azure_gets_its_deployment_in_the_path_and_its_key_in_api_key() {
    let terms = Expectations { auth_header: "api-key", ..keyed("azure") };
    let gateway = gateway("Azure OpenAI", "https://YOUR-RESOURCE.openai.azure.com", "", terms).await;
    let seen = sent(&gateway, TRANSCRIPTIONS, "azure-whisper", &[("response_format", "srt")]).await;
    assert_eq!(seen.path, "/openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21");
    let seen = sent(&gateway, TRANSLATIONS, "azure-whisper", &[]).await;
    assert_eq!(seen.path, "/openai/deployments/whisper/audio/translations?api-version=2024-10-21");
    let fields = [("response_format", "verbose_json"), ("timestamp_granularities[]", "word")];
    let seen = sent(&gateway, TRANSCRIPTIONS, "azure-whisper", &fields).await;
    assert_eq!(seen.field("timestamp_granularities[]"), Some("word"));
    streams_by_the_gateway(&gateway, "azure-whisper").await;
}

#[tokio::test]
async fn groq_is_as_openai_without_subtitles_and_streams() {
    let gateway = gateway("Groq", "https://api.groq.com/openai/v1", "/openai/v1", keyed("groq")).await;
    let model = "whisper-large-v3";
    let fields = [("response_format", "verbose_json"), ("timestamp_granularities[]", "word"), ("language", "en")];
    let seen = sent(&gateway, TRANSCRIPTIONS, model, &fields).await;
    assert_eq!((seen.path.as_str(), seen.field("model")), ("/openai/v1/audio/transcriptions", Some(model)));
    assert_eq!(sent(&gateway, TRANSLATIONS, model, &[]).await.path, "/openai/v1/audio/translations");
    streams_by_the_gateway(&gateway, model).await;
    refuses(&gateway, model, &[("response_format", "srt")]).await;
    let got = ask(&gateway, TRANSLATIONS, "whisper-large-v3-turbo", &[]).await;
    got.is_error(400, "unsupported_value", Some("model"));
}

#[tokio::test]
async fn mistral_has_plain_names_for_lists_and_answers_in_json_alone() {
    let terms =
        Expectations { list_brackets: false, unknown_fields: &["response_format", "stream"], ..keyed("mistral") };
    let gateway = gateway("Mistral", "https://api.mistral.ai/v1", "/v1", terms).await;
    let usage = json!({ "prompt_audio_seconds": 7, "prompt_tokens": 4, "completion_tokens": 9, "total_tokens": 30 });
    let answer =
        json!({ "model": "voxtral-mini-2602", "text": TRANSCRIPT, "language": null, "segments": [], "usage": usage });
    gateway.provider.answer_always(Reply::json(200, &answer));
    let model = "voxtral-mini-latest";
    // What only it has is passed on as it came, in both directions; so the answer is not one of the contract's.
    let fields = [("model", model), ("language", "en"), ("diarize", "true"), ("context_bias", "Voxgate")];
    let form = Form::new().fields(&fields).field("response_format", "json").file(&audio::wav(300));
    let got = form.on(gateway.post(TRANSCRIPTIONS)).send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), answer.to_string());
    assert_eq!(gateway.provider.last().fields(), fields);
    // What it bills is seconds, whatever it says of tokens.
    gateway.log.recorded(1).await;
    let record = &gateway.log.requests()[0];
    assert_eq!((&record["usage_audio_ms"], &record["usage_input_tokens"]), (&json!(7000), &Value::Null));
    gateway.provider.recover();
    streams_by_the_gateway(&gateway, model).await;
    refuses(&gateway, model, &[("response_format", "verbose_json")]).await;
    refuses(&gateway, model, &[("prompt", "a prompt")]).await;
}

#[tokio::test]
async fn speaches_is_as_openai_with_models_that_have_a_slash_in_their_names() {
    let terms = Expectations { keys: Vec::new(), ..Expectations::default() };
    let gateway = gateway("speaches", "http://127.0.0.1:8000/v1", "/v1", terms).await;
    let fields = [("response_format", "verbose_json"), ("timestamp_granularities[]", "word")];
    let seen = sent(&gateway, TRANSCRIPTIONS, "faster-whisper", &fields).await;
    assert_eq!(seen.path, "/v1/audio/transcriptions");
    assert_eq!(seen.field("model"), Some("Systran/faster-whisper-large-v3"));
    assert_eq!(seen.header("authorization"), None);
    sent(&gateway, TRANSLATIONS, "faster-whisper", &[("response_format", "vtt")]).await;
    streams_by_the_gateway(&gateway, "faster-whisper").await;
    gateway.provider.answer(Reply::json(404, &json!({ "detail": "Model is not installed locally." })));
    let got = ask(&gateway, TRANSCRIPTIONS, "faster-whisper", &[]).await;
    assert_eq!((got.status, &got.error()["message"]), (404, &json!("Model is not installed locally.")));
}

#[tokio::test]
async fn localai_streams_as_openai_does() {
    let terms = Expectations { keys: Vec::new(), ..Expectations::default() };
    let gateway = gateway("LocalAI", "http://127.0.0.1:8080/v1", "/v1", terms).await;
    let seen = sent(&gateway, TRANSCRIPTIONS, "local-whisper", &[("response_format", "vtt")]).await;
    assert_eq!((seen.field("model"), seen.field("diarize")), (Some("whisper-1"), Some("false")));
    let framing = Framing { done: true, ..Framing::PLAIN };
    gateway.provider.answer(Reply::stream().send(framing.all(&events())));
    let got = ask(&gateway, TRANSCRIPTIONS, "local-whisper", &[("stream", "true")]).await;
    assert_eq!(got.text(), framing.all(&events()));
    assert_eq!(gateway.provider.last().field("stream"), Some("true"));
}

#[tokio::test]
async fn vllm_reports_seconds_and_its_streams_are_another_dialect() {
    let gateway = gateway("vLLM", "http://127.0.0.1:8000/v1", "/v1", keyed("vllm")).await;
    let model = "vllm-whisper";
    let answer = json!({ "text": TRANSCRIPT, "usage": { "type": "duration", "seconds": 2 } });
    gateway.provider.answer(Reply::json(200, &answer));
    let got = ask(&gateway, TRANSCRIPTIONS, model, &[]).await;
    assert_eq!(gateway.log.request(got.request_id()).await["usage_audio_ms"], 2000);
    let fields = [("response_format", "verbose_json"), ("timestamp_granularities[]", "segment"), ("temperature", "0")];
    let seen = sent(&gateway, TRANSCRIPTIONS, model, &fields).await;
    assert_eq!(
        (seen.path.as_str(), seen.field("model")),
        ("/v1/audio/transcriptions", Some("openai/whisper-large-v3"))
    );
    streams_by_the_gateway(&gateway, model).await;
}

#[tokio::test]
async fn whisper_cpp_has_one_path_for_both_tasks_and_no_choice_of_models() {
    let terms = Expectations { keys: Vec::new(), names_model: false, ..Expectations::default() };
    let gateway = gateway("whisper.cpp", "http://127.0.0.1:8081", "", terms).await;
    let model = "whisper-cpp";
    let seen = sent(&gateway, TRANSCRIPTIONS, model, &[("response_format", "srt"), ("language", "de")]).await;
    assert_eq!((seen.path.as_str(), seen.field("translate"), seen.field("language")), ("/inference", None, Some("de")));
    let seen = sent(&gateway, TRANSLATIONS, model, &[]).await;
    assert_eq!((seen.path.as_str(), seen.field("translate")), ("/inference", Some("true")));
    // A client cannot have a transcription for the scope of a translation, or the other way round.
    let seen = sent(&gateway, TRANSLATIONS, model, &[("translate", "false")]).await;
    let values: Vec<_> = seen.fields().into_iter().filter(|(name, _)| *name == "translate").collect();
    assert_eq!(values, [("translate", "true")]);
    streams_by_the_gateway(&gateway, model).await;
    // It says 200 to what it cannot do.
    for format in ["json", "srt", "text"] {
        gateway.provider.answer(Reply::json(200, &json!({ "error": "failed to read audio data" })));
        let got = ask(&gateway, TRANSCRIPTIONS, model, &[("response_format", format)]).await;
        got.is_error(502, "provider_error", None);
        assert_eq!(got.served(), ("whispercpp", 1));
    }
}

#[tokio::test]
async fn single_settings_win_over_a_preset() {
    let terms = Expectations { auth_header: "x-api-key", list_brackets: false, names_model: false, ..keyed("own") };
    let provider = Provider::on(terms);
    let toml = format!(
        r#"
        [providers.own]
        preset = "azure"
        base_url = "{}/base/"
        api_key = "{}"
        auth_header = "X-API-Key"
        path = "/stt/{{model}}/{{task}}"
        query = "v=1"
        list_brackets = false
        omit = ["model", "temperature"]
        fields = {{ vad_filter = "true", language = "en" }}
        [models.mine]
        provider = "own"
        upstream_model = "a b"
        "#,
        provider.origin(),
        key("own"),
    );
    let gateway = Setup::with_provider(provider.into()).config(&toml).start().await;
    let fields = [("temperature", "0.5"), ("language", "de"), ("include[]", "logprobs")];
    let seen = sent(&gateway, TRANSCRIPTIONS, "mine", &fields).await;
    assert_eq!(seen.path, "/base/stt/a%20b/transcriptions?v=1");
    assert_eq!(seen.fields(), [("include", "logprobs"), ("language", "en"), ("vad_filter", "true")]);
    assert_eq!(seen.header("authorization"), None);
}
