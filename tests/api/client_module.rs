//! The browser module in `client`: its own tests, run by Node and in Chromium.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::TRANSCRIPT;
use crate::support::repository;
use crate::support::token;
use crate::support::tools::{BROWSER, TOOLS, require_tool};

/// Runs Node with these arguments and variables, and expects it to succeed.
async fn run(node: PathBuf, arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = Command::new(node);
    command.args(arguments).envs(variables.iter().copied()).env("NO_PROXY", "127.0.0.1");
    command.current_dir(repository::path("client"));
    // The script waits for the gateway, and this runtime has nothing else to do meanwhile.
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{said}");
}

#[tokio::test]
async fn the_module_reads_every_answer_and_repeats_only_what_is_free() {
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    run(node, &["--test", "tests/transcribe.test.js"], &[]).await;
}

#[tokio::test]
async fn live_sessions_lose_no_word_whatever_breaks() {
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    run(node, &["--test", "tests/live.test.js"], &[]).await;
}

#[tokio::test]
async fn the_package_is_small_and_complete() {
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    run(node, &["--test", "tests/package.test.js"], &[]).await;
}

#[tokio::test]
async fn the_types_of_the_module_allow_what_it_takes() {
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    let Some(tsc) = require_tool("tests/sdk/node/node_modules/typescript/bin/tsc", TOOLS) else { return };
    run(node, &[tsc.to_str().unwrap(), "-p", "tests/tsconfig.json"], &[]).await;
}

#[tokio::test]
async fn the_module_and_its_examples_work_with_the_gateway() {
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    let gateway = Setup::new().config("[plans.default]\nrequests_per_minute = 60\n").start().await;
    let variables = [
        ("GATEWAY", gateway.url("")),
        ("TOKEN", token::good()),
        ("TRANSCRIPT", TRANSCRIPT.to_owned()),
        ("EXPIRED_TOKEN", token::with(&serde_json::json!({ "exp": token::now() - 3600 }))),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    run(node, &["--test", "tests/gateway.test.js"], &variables).await;
    assert!(gateway.provider.requests() > 0);
}

#[tokio::test]
async fn the_module_records_and_transcribes_in_chromium() {
    let Some(_) = require_tool("tests/browser/node_modules/playwright-core", BROWSER) else { return };
    let Some(chromium) = require_tool("chromium", BROWSER) else { return };
    let Some(node) = require_tool(".test-tools/node", BROWSER) else { return };
    let gateway = Gateway::start().await;
    let variables = [
        ("CHROMIUM", chromium.to_str().unwrap()),
        ("GATEWAY", &gateway.url("")),
        ("TOKEN", &token::good()),
        ("TRANSCRIPT", TRANSCRIPT),
    ];
    run(node, &["--test", "tests/chromium.test.js"], &variables).await;
    assert_eq!(gateway.provider.requests(), 1);
}

#[tokio::test]
async fn live_sessions_lose_no_sound_of_chromiums_microphone() {
    let Some(_) = require_tool("tests/browser/node_modules/playwright-core", BROWSER) else { return };
    let Some(chromium) = require_tool("chromium", BROWSER) else { return };
    let Some(node) = require_tool(".test-tools/node", BROWSER) else { return };
    run(node, &["--test", "tests/live.chromium.test.js"], &[("CHROMIUM", chromium.to_str().unwrap())]).await;
}
