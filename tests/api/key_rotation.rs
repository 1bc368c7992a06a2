//! Keys in files are changed without a gap: what is in flight finishes with the old one.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup};
use crate::support::provider::{Gate, Provider, Reply, key};

/// A gateway whose key is in `file`.
async fn gateway(file: &Path) -> Gateway {
    let provider = Provider::with_keys(&[&key("old"), &key("new")]);
    let setup = Setup::with_provider(provider.into()).without("OPENAI_API_KEY").short_backoff();
    setup.env("OPENAI_API_KEY_FILE", file.to_str().unwrap()).start().await
}

fn write(file: &Path, name: &str) {
    std::fs::write(file, key(name) + "\n").unwrap();
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.transcribe(Form::new().file(&audio::wav(300))).await
}

const KEPT: &str = "the settings were not taken over; the old ones stay in force";
const CHANGED: &str = "a key has changed; requests use the new one from now on";

#[tokio::test]
async fn changed_settings_apply_to_new_requests_only() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    write(&file, "old");
    let gateway = gateway(&file).await;
    let gate = Gate::closed();
    // What it says of the old key in the end must not be passed on either.
    let answer = json!({ "text": format!("the key is {}", key("old")) });
    gateway.provider.answer(Reply::json(200, &answer).held_by(&gate));
    let in_flight = ask(&gateway);
    let meanwhile = async {
        gateway.provider.asked(1).await;
        write(&file, "new");
        gateway.signal("HUP");
        let changed = gateway.log.event(CHANGED).await;
        assert_eq!(changed["provider"], "openai");
        assert_eq!(ask(&gateway).await.status, 200);
        gate.open();
    };
    let (answer, ()) = tokio::join!(in_flight, meanwhile);
    assert_eq!((answer.status, answer.json()["text"].as_str()), (200, Some("the key is [redacted]")));
    assert_eq!(gateway.provider.keys(), [key("old"), key("new")]);
    // The process has taken the signal for what it is.
    assert_eq!(ask(&gateway).await.status, 200);
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal_also_where_a_link_is_swapped() {
    let folder = TempDir::new().unwrap();
    // As Kubernetes has it: the file is a link into a folder that is a link itself, and that one is swapped.
    for name in ["old", "new"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        write(&folder.path().join(name).join("key"), name);
    }
    let (data, next) = (folder.path().join("..data"), folder.path().join("..next"));
    symlink("old", &data).unwrap();
    symlink("..data/key", folder.path().join("key")).unwrap();
    let gateway = gateway(&folder.path().join("key")).await;
    assert_eq!(ask(&gateway).await.status, 200);
    symlink("new", &next).unwrap();
    std::fs::rename(&next, &data).unwrap();
    gateway.log.event(CHANGED).await;
    assert_eq!(ask(&gateway).await.status, 200);
    assert_eq!(gateway.provider.keys(), [key("old"), key("new")]);
}

#[tokio::test]
async fn a_file_that_holds_no_key_is_reported_and_the_old_key_stays() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    write(&file, "old");
    let gateway = gateway(&file).await;
    std::fs::write(&file, "").unwrap();
    gateway.signal("HUP");
    let kept = gateway.log.event(KEPT).await;
    let reason = kept["reason"].as_str().unwrap();
    assert!(reason.contains("OPENAI_API_KEY_FILE") && reason.contains("is empty"), "{reason}");
    assert_eq!(ask(&gateway).await.status, 200);
    write(&file, "new");
    gateway.signal("HUP");
    gateway.log.event(CHANGED).await;
    assert_eq!(ask(&gateway).await.status, 200);
    assert_eq!(gateway.provider.keys(), [key("old"), key("new")]);
}

#[tokio::test]
async fn a_rejected_key_returns_when_its_file_changes() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    write(&file, "old");
    let gateway = gateway(&file).await;
    gateway.provider.answer_key(&key("old"), Some(Reply::error(401)));
    for _ in 0..2 {
        ask(&gateway).await.is_error(502, "provider_auth_failed", None);
    }
    assert_eq!(gateway.provider.tries(), 1);
    write(&file, "new");
    gateway.signal("HUP");
    gateway.log.event(CHANGED).await;
    assert_eq!(ask(&gateway).await.status, 200);
}
