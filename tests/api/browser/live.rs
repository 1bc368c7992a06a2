//! The Live tab of the console: words appear while a made-up microphone speaks, and a break of the network loses nothing.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::browser;
use super::console::run;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Reply, Seen};
use crate::support::repository;
use crate::support::talk::{Talk, piece_ms};
use crate::support::token;

const SENTENCE: &str = "judge my vow.";
const SENTENCES: usize = 4;

/// Answers with as many sentences as the piece has.
fn reply(seen: &Seen) -> Reply {
    let sentences = usize::try_from((piece_ms(seen) + 1_000) / 3_313).unwrap();
    Reply::json(200, &json!({ "text": vec![SENTENCE; sentences].join(" ") }))
}

async fn use_live_tab(gateway: &Gateway, chromium: std::path::PathBuf) -> BTreeMap<String, Vec<Value>> {
    let folder = tempfile::TempDir::new().unwrap();
    let speech = folder.path().join("speech.wav");
    let talk = (0..SENTENCES).fold(Talk::default(), |talk, _| talk.says(1).pause(1_500));
    std::fs::write(&speech, talk.wav()).unwrap();
    let tokens = json!({ "good": token::good(), "expired": token::with(&json!({ "exp": token::now() - 600 })) });
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/live.mjs")).env("CHROMIUM", chromium).env("SPEECH", &speech);
    command.env("URL", gateway.url("")).env("TOKENS", tokens.to_string()).env("SENTENCES", SENTENCES.to_string());
    let found = tokio::task::spawn_blocking(move || run(command, |_| {})).await.unwrap();
    drop(folder);
    found
}

#[tokio::test]
async fn the_live_tab_loses_no_word_while_the_network_is_away() {
    let Some(chromium) = browser() else { return };
    let gateway = Setup::new().start().await;
    gateway.provider.answer_by(reply);
    let found = use_live_tab(&gateway, chromium).await;
    assert!(!found.contains_key("error"), "{:#?}", found["error"]);
    let one = |name: &str| found.get(name).unwrap_or_else(|| panic!("no {name} in {found:#?}"))[0].clone();
    let holds = |name: &str, member: &str, words: &[&str]| {
        let found = one(name)[member].as_str().unwrap_or_default().to_owned();
        assert!(words.iter().all(|word| found.contains(word)), "{name}, {member}: {found}");
    };

    let spoken = one("speaks");
    assert_eq!(spoken["early"]["state"], "Listening", "{spoken}");
    // The first words came long before the last ones were said.
    assert!(spoken["early"]["elapsed"].as_str().unwrap() < "0:09", "{spoken}");
    assert_eq!((&spoken["blocked"], &spoken["failure"]), (&json!(true), &json!(false)), "{spoken}");
    holds("speaks", "away", &["Reconnecting", "kept"]);
    let rows = spoken["rows"].as_array().unwrap();
    assert_eq!(rows.len(), SENTENCES, "{spoken}");
    assert!(rows.iter().all(|row| row.as_str().unwrap().ends_with(SENTENCE)), "{spoken}");
    assert_eq!(spoken["outputs"]["txt"], [SENTENCE; SENTENCES].join(" "));
    assert_eq!(spoken["outputs"]["srt"].as_str().unwrap().matches(" --> ").count(), SENTENCES);
    assert!(spoken["outputs"]["json"].as_str().unwrap().contains("\"segments\""), "{spoken}");
    assert!(spoken["code"]["curl"].as_str().unwrap().starts_with("arecord -q -t raw -f S16_LE -r 16000 |"), "{spoken}");
    assert!(spoken["code"]["JavaScript"].as_str().unwrap().contains("await live({"), "{spoken}");
    holds("speaks", "facts", &["Sound", "Turns", "Cost", "openai"]);

    let keyboard = one("keyboard");
    assert_eq!(
        (&keyboard["tab"], &keyboard["focus"], &keyboard["label"]),
        (&json!("way-live"), &json!("listen"), &json!("Listen"))
    );
    holds("keyboard", "said", &[SENTENCE]);
    assert_eq!(one("refused")["focus"], "token");
    holds("refused", "failure", &["The token has expired", "Paste another token above.", "token_expired"]);
    holds("refused", "label", &["Listen"]);
    let narrow = one("narrow");
    assert!(narrow["wide"].as_u64().unwrap() <= 360, "{narrow}");
    assert_eq!((&narrow["rows"], &narrow["copy"]), (&json!(1), &json!(true)), "{narrow}");

    assert_eq!(found["axe"].len(), 6, "{:#?}", found["axe"]);
    for page in &found["axe"] {
        assert_eq!(page["violations"], json!([]), "{page}");
    }
}
