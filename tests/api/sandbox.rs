//! With nothing set at all, on a loopback address, everything works but the recognition.

use reqwest::Method;

use crate::form::{BodyForm, Form};
use crate::gateway::{Gateway, Setup, TRANSCRIPTIONS, TRANSLATIONS};
use crate::{sound, token};

/// A gateway with neither a key nor a secret, and the token that it printed.
async fn start() -> (Gateway, String) {
    let setup = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL").without("VOXGATE_JWT_SECRET");
    let gateway = setup.start().await;
    let token =
        gateway.banner().find("a token", |line| line.trim().strip_prefix("export VOXGATE_TOKEN=").map(str::to_owned));
    let token = token.await;
    (gateway, token)
}

#[tokio::test]
async fn the_printed_token_gets_an_answer_of_what_was_measured() {
    let (gateway, token) = start().await;
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(&token);
    let got = gateway.send(Form::new().field("model", "gpt-transcribe").file(&sound::wav(1500)).on(request)).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("x-voxgate-provider"), Some("sandbox"));
    let text = got.json()["text"].as_str().unwrap().to_owned();
    for word in ["sandbox", "1.5", "wav"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn the_printed_curl_command_works_when_pasted() {
    let (gateway, token) = start().await;
    let end = |line: &str| line.contains("-F model=").then_some(());
    gateway.banner().find("the end of the command", end).await;
    let banner = gateway.banner().text();
    let command = &banner[banner.find("curl ").expect("no curl command")..];
    let words: Vec<_> = command.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(words[1], gateway.url(TRANSCRIPTIONS));
    assert!(command.contains("Authorization: Bearer $VOXGATE_TOKEN"), "{command}");
    let file = words.iter().find_map(|word| word.strip_prefix("file=@")).expect("no file in the command");
    assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file} is not in the repository");
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token);
    let audio = std::fs::read(file).unwrap();
    let got = gateway.send(Form::new().field("model", "gpt-transcribe").file(&audio).on(request)).await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn the_sandbox_speaks_every_format_and_streams() {
    let (gateway, token) = start().await;
    let formats = [
        ("gpt-transcribe", "json"),
        ("gpt-transcribe", "text"),
        ("whisper-1", "srt"),
        ("whisper-1", "vtt"),
        ("whisper-1", "verbose_json"),
        ("gpt-4o-transcribe-diarize", "diarized_json"),
    ];
    for (model, format) in formats {
        for stream in ["false", "true"] {
            let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(&token);
            let options = [("model", model), ("response_format", format), ("stream", stream)];
            let got = gateway.send(BodyForm::RawAudio.on(request, &options, &sound::wav(300))).await;
            assert_eq!(got.status, 200, "{model} {format}: {}", got.text());
            assert!(got.text().contains("sandbox"), "{model} {format}: {}", got.text());
            if stream == "true" {
                assert_eq!(got.events().last().unwrap(), "[DONE]");
            }
        }
    }
    let request = gateway.request(Method::POST, TRANSLATIONS).bearer_auth(&token);
    let got = gateway.send(Form::new().field("model", "whisper-1").file(&sound::wav(300)).on(request)).await;
    assert_eq!((got.status, got.header("x-voxgate-provider")), (200, Some("sandbox")));
}

#[tokio::test]
async fn a_secret_that_was_made_up_is_good_for_this_run_only() {
    let (gateway, _) = start().await;
    let (_other, token) = start().await;
    for token in [token, token::good()] {
        let request = gateway.request(Method::GET, "/v1/models").bearer_auth(token);
        gateway.send(request).await.is_error(401, "invalid_token", None);
    }
}

#[tokio::test]
async fn a_gateway_with_its_secrets_prints_no_token() {
    let gateway = Gateway::start().await;
    gateway.banner().find("the address", |line| line.contains("listens").then_some(())).await;
    assert!(!gateway.banner().text().contains("eyJ"));
    assert!(!gateway.banner().text().to_lowercase().contains("sandbox"));
}
