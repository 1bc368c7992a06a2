//! OpenAI's own SDKs against the gateway, with nothing changed but the address and the key.

use std::process::{Command, Output};

use serde_json::json;

use crate::support::gateway::Setup;
use crate::support::provider::TRANSCRIPT;
use crate::support::tools::{TOOLS, require_tool};
use crate::support::{audio, repository, token};

/// Runs a script that knows nothing but what a user of the SDK knows.
async fn run(program: &str, script: &str) {
    let Some(program) = require_tool(program, TOOLS) else { return };
    let gateway = Setup::new().single_attempt().env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400").start().await;
    let mut command = Command::new(program);
    command
        .arg(repository::path(script))
        .env("OPENAI_BASE_URL", gateway.url("/v1"))
        .env("OPENAI_API_KEY", token::good())
        .env("EXPIRED_TOKEN", token::with(&json!({ "exp": token::now() - 3600 })))
        .env("UNSCOPED_TOKEN", token::with(&json!({ "scope": "usage" })))
        .env("RECORDING", audio::media().join("pcm16.wav"))
        .env("TRANSCRIPT", TRANSCRIPT)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1");
    // The script waits for the gateway, and this runtime has nothing else to do meanwhile.
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{said}");
    assert!(gateway.provider.requests() > 0);
}

#[tokio::test]
async fn the_python_sdk_works_unchanged() {
    run(".test-tools/python/bin/python", "tests/sdk/python/test_sdk.py").await;
}

#[tokio::test]
async fn the_node_sdk_works_unchanged() {
    run(".test-tools/node", "tests/sdk/node/sdk.test.mjs").await;
}
