//! A stranger who has nothing but the contract: Schemathesis makes up requests from `openapi.yaml`, right ones and wrong ones,
//! and holds what comes back against it.

use std::process::Command;

use serde_json::json;

use crate::gateway::Setup;
use crate::sdk::folder;
use crate::token;

/// How many requests are made up for each operation.
const MAX_EXAMPLES: &str = "15";

/// The first made-up request, from which all others follow.
const SEED: &str = "1";

#[tokio::test]
async fn a_client_that_has_nothing_but_the_contract_finds_it_kept() {
    let program = folder(".test-tools/contract/bin/schemathesis");
    assert!(program.exists(), "{} is missing: `make test-tools` installs it", program.display());
    let sandbox = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL");
    let gateway = sandbox.start().await;
    let token = token::with(&json!({ "scope": "transcribe translate usage sessions" }));
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["run", &gateway.url("/openapi.yaml"), "--url", &gateway.url("")])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args([
            "--seed",
            SEED,
            "--max-examples",
            MAX_EXAMPLES,
            "--generation-deterministic",
            "--generation-database",
            "none",
        ])
        .args(["--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color", "--no-shrink"])
        .args(["--request-timeout", "30", "--suppress-health-check", "all"])
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // It has done something.
    assert!(gateway.log.requests().len() > 100, "{said}");
}
