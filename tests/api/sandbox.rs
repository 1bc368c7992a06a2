//! With nothing set at all, on a loopback address, everything works but the recognition.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::form::{BodyForm, Form};
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS, TRANSLATIONS, run};
use crate::support::redis_server::Server;
use crate::support::{audio, token};

/// The settings of a gateway without a provider's key.
fn without_a_key(setup: Setup) -> Setup {
    setup.without("OPENAI_API_KEY").without("OPENAI_BASE_URL")
}

/// A gateway with neither a key nor a secret before a person at a terminal, and the token that it printed.
async fn start() -> (Gateway, String) {
    let gateway = without_a_key(Setup::new()).without("VOXGATE_JWT_SECRET").on_a_terminal().start().await;
    let token = printed_token(&gateway).await;
    (gateway, token)
}

async fn printed_token(gateway: &Gateway) -> String {
    let token = |line: &str| line.trim().strip_prefix("export VOXGATE_TOKEN=").map(str::to_owned);
    gateway.banner().find("a token", token).await
}

/// A browser keeps to itself what stands behind the `#`.
#[tokio::test]
async fn the_printed_address_opens_the_console_with_the_token() {
    let (gateway, token) = start().await;
    let banner = gateway.banner().text();
    let address = format!("{}#token={token}", gateway.url("/"));
    // The first thing after the line that says where it listens.
    let before = &banner[..banner.find(&address).unwrap_or_else(|| panic!("{address} is not in {banner}"))];
    assert!(!before.contains("SANDBOX") && !before.contains("curl"), "{banner}");
    assert_eq!(gateway.send(gateway.request(Method::GET, "/")).await.status, 200);
    let without = without_a_key(Setup::new()).without("VOXGATE_JWT_SECRET").config("[console]\nenabled = false\n");
    let without = without.on_a_terminal().start().await;
    printed_token(&without).await;
    assert!(!without.banner().text().contains("#token="), "{}", without.banner().text());
}

/// What a token says, whoever signed it.
fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn the_printed_token_gets_an_answer_of_what_was_measured() {
    let (gateway, token) = start().await;
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(&token);
    let got = gateway.send(Form::new().field("model", "gpt-transcribe").file(&audio::wav(1500)).on(request)).await;
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
    assert!(words.contains(&gateway.url(TRANSCRIPTIONS).as_str()), "{command}");
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
            let got = gateway.send(BodyForm::RawAudio.on(request, &options, &audio::wav(300))).await;
            assert_eq!(got.status, 200, "{model} {format}: {}", got.text());
            assert!(got.text().contains("sandbox"), "{model} {format}: {}", got.text());
            if stream == "true" {
                assert_eq!(got.events().last().unwrap(), "[DONE]");
            }
        }
    }
    let request = gateway.request(Method::POST, TRANSLATIONS).bearer_auth(&token);
    let got = gateway.send(Form::new().field("model", "whisper-1").file(&audio::wav(300)).on(request)).await;
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
async fn a_terminal_gets_a_token_for_an_hour() {
    let every = [
        Setup::new(),
        Setup::new().without("VOXGATE_JWT_SECRET"),
        without_a_key(Setup::new()),
        without_a_key(Setup::new()).without("VOXGATE_JWT_SECRET"),
    ];
    for setup in every {
        let gateway = setup.on_a_terminal().start().await;
        let token = printed_token(&gateway).await;
        let said = claims(&token);
        assert_eq!(said["scope"], "transcribe translate usage", "no more than a first try needs");
        assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 3600);
        let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(&token);
        let got = gateway.send(Form::new().file(&audio::wav(300)).on(request)).await;
        assert_eq!(got.status, 200, "{}", got.text());
        gateway.banner().find("how to stop", |line| line.contains("Ctrl-C").then_some(())).await;
    }
}

/// What a start prints that is to be kept: by a journal, a file, the engine of a container.
#[tokio::test]
async fn only_the_token_command_prints_a_token_to_a_file() {
    let open = |setup: Setup| setup.env("VOXGATE_BIND", "0.0.0.0:0");
    // Not a terminal; or a terminal, but others than this machine can connect.
    for setup in [Setup::new(), without_a_key(Setup::new()), open(Setup::new()), open(Setup::new()).on_a_terminal()] {
        let gateway = setup.start().await;
        let command = |line: &str| line.split('`').find(|text| text.contains(" token --sub ")).map(str::to_owned);
        let command = gateway.banner().find("the command", command).await;
        assert!(!gateway.banner().text().contains("eyJ"), "{}", gateway.banner().text());
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env_clear().envs(gateway.setup().variables());
        let made = shell.output().unwrap();
        let token = String::from_utf8(made.stdout).unwrap();
        assert_eq!(claims(&token)["sub"], "alice", "{command}");
        let address = gateway.address.port();
        let models = reqwest::Client::builder().no_proxy().build().unwrap();
        let models = models.get(format!("http://127.0.0.1:{address}/v1/models")).bearer_auth(token.trim());
        assert_eq!(models.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_generated_secret_is_reported_where_no_token_is_printed() {
    let gateway = without_a_key(Setup::new()).without("VOXGATE_JWT_SECRET").start().await;
    let set_it = |line: &str| line.contains("VOXGATE_JWT_SECRET is not set").then_some(());
    gateway.banner().find("what to set", set_it).await;
    gateway.banner().find("the command", |line| line.contains(" token --sub ").then_some(())).await;
    assert!(!gateway.banner().text().contains("eyJ"), "{}", gateway.banner().text());
}

#[tokio::test]
async fn what_the_sandbox_counts_is_in_books_of_its_own() {
    let real = Setup::new();
    let mut sandbox = without_a_key(real.clone()).start().await;
    assert_eq!(sandbox.transcribe(Form::new().file(&audio::wav(1000))).await.status, 200);
    let data = real.data().to_owned();
    assert!(data.join("sandbox.sqlite3").exists() && !data.join("voxgate.sqlite3").exists());
    sandbox.terminate();
    assert!(sandbox.ended().await.success());
    let gateway = real.start().await;
    let usage = gateway.send(gateway.get("/v1/usage")).await.json();
    assert_eq!(usage["total"]["requests"], 0, "a try is charged to the budget: {usage}");
}

#[tokio::test]
async fn what_the_sandbox_counts_in_redis_has_names_of_its_own() {
    let server = Server::start();
    let real = Setup::new().env("REDIS_URL", &server.url());
    let sandbox = without_a_key(real.clone()).start().await;
    assert_eq!(sandbox.transcribe(Form::new().file(&audio::wav(1000))).await.status, 200);
    let keys: Vec<String> = redis::from_redis_value(server.run(&["KEYS", "*"])).unwrap();
    assert!(keys.iter().any(|key| key.contains(":alice:")), "{keys:?}");
    for key in keys {
        assert!(key.starts_with("voxgate:sandbox:{"), "{key}");
    }
    let gateway = real.start().await;
    let usage = gateway.send(gateway.get("/v1/usage")).await.json();
    assert_eq!(usage["total"]["requests"], 0, "a try is charged to the budget: {usage}");
}

/// Whoever revokes a token in another terminal may not have the provider's key there.
#[tokio::test]
async fn a_token_is_revoked_without_the_providers_key_at_hand() {
    let server = Server::start();
    for setup in [Setup::new(), Setup::new().env("REDIS_URL", &server.url())] {
        let gateway = setup.start().await;
        let token = token::with(&json!({ "jti": "stolen" }));
        let models = || gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(&token));
        assert_eq!(models().await.status, 200);
        let without = without_a_key(gateway.setup().clone());
        let revoked = run(&["revoke", "--sub", "alice", "--jti", "stolen"], &without.variables(), without.data());
        assert!(revoked.status.success(), "{revoked:?}");
        models().await.is_error(401, "invalid_token", None);
    }
}
