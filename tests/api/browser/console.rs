//! The console, used as a newcomer uses it. The provider answers step by step: it goes on when the page shows a step.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::browser;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Framing, Gate, Reply, Seen, TRANSCRIPT, answer, events};
use crate::support::repository;
use crate::support::talk::{Talk, piece_ms};
use crate::support::{audio, token};

const SETTINGS: &str = "
[models.gpt-4o-transcribe]
max_seconds = 20

[plans.limited]
requests_per_minute = 6
burst = 1
";

/// The gates behind which the provider waits.
#[derive(Clone)]
struct Steps {
    next_delta: Gate,
    rest_of_pieces: Gate,
    never: Gate,
}

fn delta(text: &str) -> String {
    Framing::PLAIN.event(&json!({ "type": "transcript.text.delta", "delta": text }))
}

fn stream(events: &[Value]) -> Reply {
    let sent = events.iter().fold(Reply::stream(), |reply, event| reply.send(Framing::PLAIN.event(event)));
    sent.send("data: [DONE]\n\n")
}

/// Answers each model in a way of its own.
fn reply(seen: &Seen, steps: &Steps) -> Reply {
    match seen.field("model").unwrap_or_default() {
        "gpt-transcribe" => {
            let done = json!({ "type": "transcript.text.done", "text": "Sphinx of black", "usage": { "type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18 } });
            let mut reply = Reply::stream();
            for text in ["Sphinx", " of", " black"] {
                reply = reply.send(delta(text)).wait(&steps.next_delta);
            }
            reply.send(Framing::PLAIN.event(&done)).send("data: [DONE]\n\n")
        }
        "gpt-4o-mini-transcribe" => Reply::stream().send(delta("for ever")).wait(&steps.never),
        "gpt-4o-transcribe" if seen.field("stream") == Some("true") => stream(&events()),
        "gpt-4o-transcribe" => {
            // The first piece has one sentence.
            let sentences = usize::try_from((piece_ms(seen) + 1_000) / 3_313).unwrap();
            let reply = Reply::json(200, &json!({ "text": vec!["judge my vow."; sentences].join(" ") }));
            if sentences == 1 { reply } else { reply.held_by(&steps.rest_of_pieces) }
        }
        _ => {
            let (content_type, body) = answer(seen.field("response_format").unwrap_or("json"));
            Reply::whole(200, content_type, body)
        }
    }
}

/// Runs the script and returns what it found by its names. `on` hears of each step that the page shows.
pub(super) fn run(mut command: Command, on: impl Fn(&str)) -> BTreeMap<String, Vec<Value>> {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        let one: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        if let Some(step) = one["saw"].as_str() {
            on(step);
        }
        let name = one["is"].as_str().unwrap_or("saw").to_owned();
        found.entry(name).or_default().push(one);
    }
    assert!(child.wait().unwrap().success(), "{found:?}");
    found
}

async fn use_console(gateway: &Gateway, chromium: std::path::PathBuf, steps: Steps) -> BTreeMap<String, Vec<Value>> {
    let folder = tempfile::TempDir::new().unwrap();
    let long = folder.path().join("long.wav");
    std::fs::write(&long, Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2).wav()).unwrap();
    let tokens = json!({
        "good": token::good(),
        "expired": token::with(&json!({ "exp": token::now() - 600 })),
        "without_usage": token::with(&json!({ "scope": "transcribe" })),
        "limited": token::with(&json!({ "plan": "limited", "sub": "bob" })),
    });
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/console.mjs")).env("CHROMIUM", chromium).env("LONG", &long);
    command.env("URL", gateway.url("")).env("TOKENS", tokens.to_string()).env("RECORDINGS", audio::media());
    let on = move |step: &str| match step {
        "a piece" => (0..2).for_each(|_| steps.rest_of_pieces.open()),
        "the first word" => (0..3).for_each(|_| steps.next_delta.open()),
        _ => steps.next_delta.open(),
    };
    let found = tokio::task::spawn_blocking(move || run(command, on)).await.unwrap();
    drop(folder);
    found
}

#[tokio::test]
async fn the_console_is_used_as_a_newcomer_uses_it() {
    let Some(chromium) = browser() else { return };
    let gateway = Setup::new().config(SETTINGS).start().await;
    let steps = Steps { next_delta: Gate::closed(), rest_of_pieces: Gate::closed(), never: Gate::closed() };
    let answering = steps.clone();
    gateway.provider.answer_by(move |seen| reply(seen, &answering));
    let found = use_console(&gateway, chromium, steps).await;
    let one = |name: &str| found.get(name).unwrap_or_else(|| panic!("no {name} in {found:#?}"))[0].clone();
    let says = |name: &str, member: &str| one(name)[member].as_str().unwrap_or_default().to_owned();
    let holds = |name: &str, member: &str, words: &[&str]| {
        let text = says(name, member);
        for word in words {
            assert!(text.contains(word), "{name}, {member}, {word}: {text}");
        }
    };

    assert!(!found.contains_key("error"), "{:#?}", found["error"]);
    // The token is out of the address at once, and kept for this tab alone.
    assert_eq!(
        one("address"),
        json!({ "is": "address", "url": gateway.url("/"), "kept": ["voxgate.token"], "local": 0 })
    );
    assert_eq!(says("microphone", "text"), "Sphinx of black");
    holds("microphone", "facts", &["First word", "Last word", "openai", "18 tokens", "Left this minute", "no limit"]);
    assert_eq!(says("copied", "text"), "Sphinx of black");
    assert_eq!((says("drop", "text"), says("drop", "name")), (TRANSCRIPT.to_owned(), "<b>speech</b>.mp3".to_owned()));
    assert_eq!(one("drop")["overlay"], false);
    assert_eq!(one("queue")["names"], json!(["vbr.mp3", "opus.ogg", "speech.flac"]));
    assert_eq!(one("queue")["all"][3], "pasted-1.mp3");
    holds("queue", "refused", &["data:"]);

    assert_eq!(says("times", "marked"), "Sphinx");
    let outputs = &one("times")["outputs"];
    assert_eq!(outputs["sample.txt"], TRANSCRIPT);
    assert_eq!(outputs["sample.srt"], format!("1\n00:00:00,000 --> 00:00:01,800\n{TRANSCRIPT}\n"));
    assert_eq!(outputs["sample.vtt"], format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.800\n{TRANSCRIPT}\n"));
    assert!(outputs["sample.json"].as_str().unwrap().contains("\"segments\""), "{outputs}");

    let piece = found["saw"].iter().find(|one| one["saw"] == "a piece").unwrap();
    assert!(piece["bar"].as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{piece}");
    // The first piece is asked for as a stream, the others whole.
    assert_eq!(says("split", "text"), format!("{TRANSCRIPT} {}", ["judge my vow."; 5].join(" ")));
    holds("split", "facts", &["Pieces\n3"]);
    assert_eq!((says("cancel", "text"), one("cancel")["again"].clone()), ("for ever".to_owned(), json!(true)));

    for (member, words) in [
        ("none", &["token"][..]),
        ("refused", &["Paste another token"]),
        ("expired", &["expired"]),
        ("failure", &["The token has expired", "Copy the request id", "token_expired"]),
        ("said", &["scope usage", "cost"]),
        ("who", &["alice", "transcribe"]),
    ] {
        holds("tokens", member, words);
    }
    holds("limit", "countdown", &["It goes again in", "second"]);
    holds("limit", "failure", &["6 requests a minute", "rate_limit_exceeded"]);
    assert_eq!(one("limit")["done"], 2);
    holds("limit", "facts", &["0 requests"]);
    holds("offline", "failure", &["cannot be reached", "Send again"]);
    assert_eq!((says("offline", "text"), one("offline")["hidden"].clone()), (TRANSCRIPT.to_owned(), json!(true)));
    holds("keyboard", "code", &["openai", "verbose_json"]);
    holds("keyboard", "announced", &[TRANSCRIPT]);
    assert!(one("narrow")["wide"].as_u64().unwrap() <= 360, "{}", one("narrow"));

    oddities(&one, &holds);

    assert!(found["axe"].len() >= 10, "{:#?}", found["axe"]);
    for page in &found["axe"] {
        assert_eq!(page["violations"], json!([]), "{page}");
    }
    assert_eq!(one("requests")["elsewhere"], json!([]));
    let heads = &one("heads")["heads"];
    assert!(heads["/"]["content-security-policy"].as_str().unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(heads["/"]["permissions-policy"], "microphone=(self), camera=(), geolocation=()");
    assert_eq!(heads["/voxgate.js"]["access-control-allow-origin"], "*");
    code_runs(&gateway, &one("code")["codes"]).await;
}

/// Looks at what tests/browser/oddities.mjs found.
fn oddities(one: &dyn Fn(&str) -> Value, holds: &dyn Fn(&str, &str, &[&str])) {
    // Repeated is what cost nothing, and that not for ever.
    for (name, requests, words) in [
        ("repeats charged", 1, &["may cost again", "Send again"][..]),
        ("repeats limited", 6, &["much to do", "Send again"]),
        ("repeats proto", 1, &["The gateway refused it", "__proto__"]),
        ("repeats constructor_", 1, &["The transcription failed", "may cost again"]),
    ] {
        assert_eq!(one(name)["requests"], requests, "{name}");
        holds(name, "failure", words);
        assert!(!one(name)["failure"].as_str().unwrap().contains("Nothing was spent"), "{name}");
    }
    // One more is the row of the recording.
    assert_eq!(one("speakers"), json!({ "is": "speakers", "rows": 1600, "made": 1601 }));
    assert_eq!(one("letters"), json!({ "is": "letters", "words": ["İİİ", "GRÖSSER", "Ruhe"], "srt": true }));
    assert_eq!(one("broken")["done"], 2);
    // The browser's log has what could not be shown.
    assert_eq!(one("reported")["error"], "Error: made up");
    let lines = one("names")["lines"].as_array().unwrap().clone();
    let replaced = ["wav", "wav", "wav", "audio", "mp3", "wav", "wav"];
    for (line, kind) in lines.iter().zip(replaced) {
        assert_eq!(line, &format!("-F file=@recording.{kind}"), "{lines:#?}");
    }
    assert_eq!(lines[7], "-F 'file=@plain name.wav'");
    assert_eq!(lines[8], r#"-F 'file=@"it'\''s; $(id) \\ \".wav"'"#);
    holds("offered", "question", &["“bob”", "“alice”"]);
    assert_eq!(one("offered")["steps"], json!(["good", "good", "good", false, "good", true, "limited", false]));
    holds("unreadable", "failure", &["can no longer be read", "Send again"]);
    assert_eq!(
        one("removed"),
        json!({ "is": "removed", "names": ["sample.wav", "opus.ogg"], "shown": "opus.ogg", "isRevoked": true, "focus": "opus.oggDone" })
    );
}

/// Pastes the code of the page into a shell and into Node.
async fn code_runs(gateway: &Gateway, codes: &Value) {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::copy(audio::media().join("sample.wav"), folder.path().join("sample.wav")).unwrap();
    std::fs::copy(repository::path("client/voxgate.js"), folder.path().join("voxgate.mjs")).unwrap();
    std::fs::write(folder.path().join("transcribe.mjs"), codes["JavaScript"].as_str().unwrap()).unwrap();
    std::fs::write(folder.path().join("transcribe.py"), codes["Python"].as_str().unwrap()).unwrap();
    let node = format!("{} transcribe.mjs", repository::path(".test-tools/node").display());
    let python = format!("{} transcribe.py", repository::path(".test-tools/python/bin/python").display());
    for (name, script) in [("curl", codes["curl"].as_str().unwrap()), ("JavaScript", &node), ("Python", &python)] {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder.path()).env("VOXGATE_TOKEN", token::good());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains(TRANSCRIPT), "{name}: {out}{said}");
        assert_eq!(gateway.provider.last().field("prompt"), Some("it's \"quoted\" & <b>bold</b>"), "{name}");
    }
}

/// Without the console the API is as it is, and so is the module.
#[tokio::test]
async fn a_setting_ends_the_page_alone() {
    let gateway = Setup::new().config("[console]\nenabled = false\n").start().await;
    let paths = [
        ("/", 404),
        ("/console/console.js", 404),
        ("/voxgate.js", 200),
        ("/voxgate/live.js", 200),
        ("/voxgate/nothing.js", 404),
        ("/docs", 200),
    ];
    for (path, status) in paths {
        assert_eq!(gateway.send(gateway.request(reqwest::Method::GET, path)).await.status, status, "{path}");
    }
    let gateway = Gateway::start().await;
    for path in ["/", "/console/console.js", "/console/console.css", "/console/icon.svg", "/console/talk.mp3"] {
        let answer = gateway.send(gateway.request(reqwest::Method::GET, path)).await;
        assert_eq!((answer.status, answer.body.is_empty()), (200, false), "{path}");
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';")
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    let unknown = gateway.send(gateway.request(reqwest::Method::GET, "/console/nothing.js")).await;
    unknown.is_error(404, "not_found", None);
}
