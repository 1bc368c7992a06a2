//! OpenAI's own SDKs against the gateway, with nothing changed but the address and the key.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::gateway::Setup;
use crate::provider::TRANSCRIPT;
use crate::{sound, token};

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a script that knows nothing but what a user of the SDK knows.
async fn run(program: PathBuf, script: PathBuf) {
    assert!(program.exists(), "{} is missing: `make test-tools` installs it", program.display());
    let gateway = Setup::new().one_try().start().await;
    let mut command = Command::new(program);
    command
        .arg(script)
        .env("OPENAI_BASE_URL", gateway.url("/v1"))
        .env("OPENAI_API_KEY", token::good())
        .env("EXPIRED_TOKEN", token::with(&json!({ "exp": token::now() - 3600 })))
        .env("UNSCOPED_TOKEN", token::with(&json!({ "scope": "usage" })))
        .env("RECORDING", sound::media().join("pcm16.wav"))
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
    run(folder(".test-tools/python/bin/python"), folder("tests/sdk/python/test_sdk.py")).await;
}

#[tokio::test]
async fn the_node_sdk_works_unchanged() {
    run(folder(".test-tools/node"), folder("tests/sdk/node/sdk.test.mjs")).await;
}
