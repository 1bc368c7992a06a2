//! A stranger who has nothing but the contract: Schemathesis makes up requests from `openapi.yaml`, right ones and wrong ones,
//! and holds what comes back against it.

use std::process::Command;

use serde_json::json;

use crate::support::gateway::Setup;
use crate::support::tools::{TOOLS, require_tool};
use crate::support::{repository, token};

#[tokio::test]
async fn a_client_that_has_nothing_but_the_contract_finds_it_kept() {
    let Some(program) = require_tool(".test-tools/contract/bin/schemathesis", TOOLS) else { return };
    let sandbox = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL");
    let gateway = sandbox.start().await;
    let token = token::with(&json!({ "scope": "transcribe translate usage sessions" }));
    let seed = std::env::var("PROPTEST_RNG_SEED").expect("cargo sets it, by .cargo/config.toml");
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(scratch.path())
        .arg("--config-file")
        .arg(repository::path("tests/contract/schemathesis.toml"))
        .args(["run", &gateway.url("/openapi.yaml"), "--url", &gateway.url(""), "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {token}"), "--seed", &seed])
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // It has done something.
    assert!(gateway.log.requests().len() > 100, "{said}");
}
