//! The command line: what it prints, and what it refuses.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use jsonwebtoken::Algorithm;
use serde_json::json;
use tempfile::TempDir;

use crate::support::gateway::{Gateway, run};
use crate::support::provider::{KEY, Provider};
use crate::support::token::{self, SECRET};
use crate::support::tools::{TOOLS, require_tool};

fn voxgate(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let folder = TempDir::new().unwrap();
    let Output { status, stdout, stderr } = run(arguments, variables, folder.path());
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn off_loopback_every_missing_secret_is_named() {
    let variables = [("VOXGATE_BIND", "0.0.0.0:0"), ("VOXGATE_OPS_BIND", "127.0.0.1:0")];
    for arguments in [&["serve"][..], &[], &["check"]] {
        let (code, _, said) = voxgate(arguments, &variables);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("OPENAI_API_KEY") && said.contains("VOXGATE_JWT_SECRET"), "{said}");
    }
}

#[test]
fn off_loopback_a_short_secret_is_refused_without_being_shown() {
    let variables = [("VOXGATE_BIND", "0.0.0.0:0"), ("OPENAI_API_KEY", KEY), ("VOXGATE_JWT_SECRET", "short-and-sweet")];
    let (code, out, said) = voxgate(&["serve"], &variables);
    assert_eq!(code, Some(1));
    assert!(said.contains("VOXGATE_JWT_SECRET") && said.contains("32"), "{said}");
    assert!(!(out + &said).contains("short-and-sweet"));
}

#[test]
fn every_mistake_in_the_settings_is_said_at_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("voxgate.toml");
    let toml = "default_model = \"nobody-has-it\"\n[intake]\nmax_feilds = 3\nidle_timeout = 30\n[log]\nformat = \"loud\"\n\
                [plans.default]\nmodels = [\"no-such-model\"]\n";
    std::fs::write(&file, toml).unwrap();
    let variables = [
        ("VOXGATE_CONFIG", file.to_str().unwrap()),
        ("VOXGATE_BIND", "nowhere"),
        ("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "many"),
        ("OPENAI_BASE_URL", "ftp://example.com"),
        ("OPENAI_API_KEY", KEY),
    ];
    let (code, _, said) = voxgate(&["check"], &variables);
    assert_eq!(code, Some(1), "{said}");
    for word in [
        "nobody-has-it",
        "max_feilds",
        "max_fields",
        "idle_timeout",
        "loud",
        "no-such-model",
        "VOXGATE_BIND",
        "nowhere",
        "VOXGATE_INTAKE__MAX_AUDIO_BYTES",
        "many",
        "OPENAI_BASE_URL",
    ] {
        assert!(said.contains(word), "{word} is not named in:\n{said}");
    }
    assert!(!said.contains(KEY));
}

#[test]
fn a_settings_file_that_is_not_there_or_not_toml_is_said() {
    let (code, _, said) = voxgate(&["check", "--config", "missing.toml"], &[]);
    assert!(code == Some(1) && said.contains("missing.toml"), "{said}");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, format!("[providers.openai]\napi_key = \"{KEY}\n")).unwrap();
    let (code, _, said) = voxgate(&["check"], &[("VOXGATE_CONFIG", file.to_str().unwrap())]);
    assert!(code == Some(1) && said.contains("broken.toml") && !said.contains(KEY), "{said}");
}

#[test]
fn the_example_settings_are_right() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/voxgate.example.toml");
    let (code, _, said) = voxgate(&["check", "--config", example], &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn check_tries_the_provider() {
    let provider = Provider::start();
    let base_url = provider.base_url();
    let variables = [("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", base_url.as_str()), ("VOXGATE_JWT_SECRET", SECRET)];
    let (code, said, errors) = voxgate(&["check"], &variables);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("openai") && !said.contains(KEY) && !said.contains(SECRET), "{said}");
    drop(provider);
    let (code, said, errors) = voxgate(&["check"], &variables);
    assert_ne!(code, Some(0), "{said}{errors}");
    assert!(!(said + &errors).contains(KEY));
}

#[test]
fn a_token_needs_the_secret_that_it_is_checked_with() {
    let (code, out, said) = voxgate(&["token", "--sub", "alice"], &[]);
    assert!(code != Some(0) && out.is_empty() && said.contains("VOXGATE_JWT_SECRET"), "{out}{said}");
}

#[tokio::test]
async fn a_minted_token_is_accepted_and_limited_as_it_was_asked_for() {
    let gateway = Gateway::start().await;
    let secret = [("VOXGATE_JWT_SECRET", SECRET)];
    let mint = |arguments: &[&str]| {
        let (code, out, said) = voxgate(&[&["token", "--sub", "alice"], arguments].concat(), &secret);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(out.lines().count(), 1, "{out}");
        // The id, by which it can be revoked, is beside it and not in it.
        assert!(said.contains("revoke --sub 'alice' --jti ") && !said.contains("eyJ"), "{said}");
        out.trim().to_owned()
    };
    let models = |token: String| gateway.send(gateway.request(reqwest::Method::GET, "/v1/models").bearer_auth(token));
    let got = models(mint(&[])).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(gateway.log.request(got.request_id()).await["subject"], "alice");
    let request = gateway.request(reqwest::Method::POST, "/v1/audio/transcriptions");
    let request = request.bearer_auth(mint(&["--scope", "translate", "--ttl", "5m"]));
    let form = crate::support::form::Form::new().file(&crate::support::audio::wav(300));
    gateway.send(form.on(request)).await.is_error(403, "insufficient_scope", None);
    let (code, _, said) = voxgate(&["token", "--sub", "alice", "--plan", "nobody-has-it"], &secret);
    assert!(code != Some(0) && said.contains("nobody-has-it"), "{said}");
}

/// What `voxgate token --show` says of a token: whether it is accepted, and both outputs.
fn explained(token: &str, variables: &[(&str, &str)]) -> (bool, String, String) {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxgate"));
    command.args(["token", "--show"]).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (out, said) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let signature = token.trim().rsplit('.').next().unwrap();
    assert!(signature.len() < 20 || !(out.clone() + &said).contains(signature), "the token is repeated: {out}{said}");
    (status.success(), out, said)
}

#[test]
fn a_token_is_explained_without_being_repeated() {
    let secret = [("VOXGATE_JWT_SECRET", SECRET)];
    let id = "0198f0c2-6b1e-7d51-9f0a-3c5d6e7f8a9b";
    let good = token::with(&json!({ "jti": id, "plan": "default" }));
    for text in [good.clone(), format!("{good}\n"), format!("Bearer {good}"), format!("Authorization: Bearer {good}\n")]
    {
        let (accepted, out, said) = explained(&text, &secret);
        assert!(accepted, "{out}{said}");
        for word in ["HS256", "alice", "default", "transcribe translate usage", id, "accepts"] {
            assert!(out.contains(word), "{word} is not in:\n{out}");
        }
    }
    let refused = [
        (token::with(&json!({ "exp": token::now() - 7200 })), "expired"),
        (token::with(&json!({ "sub": 17 })), "sub"),
        (token::altered(), "signature"),
        (token::unsigned(), "algorithm"),
        (token::signed(Algorithm::HS256, "another secret of more than 32 bytes", &token::claims()), "signature"),
        ("not-a-token".to_owned(), "JWT"),
        (String::new(), "no token"),
        ("a.b.c".to_owned(), "JWT"),
        ("x".repeat(100_000), "JWT"),
    ];
    for (token, why) in refused {
        let (accepted, out, said) = explained(&token, &secret);
        assert!(!accepted && said.contains(why), "{why}: {out}{said}");
    }
    let (accepted, out, _) = explained(&token::with(&json!({ "sub": "\u{1b}[31mred", "plan": "gold" })), &secret);
    assert!(!accepted && !out.contains('\u{1b}'), "a terminal would obey: {out:?}");
    let (accepted, out, _) = explained(&token::with(&json!({ "plan": "gold" })), &secret);
    assert!(accepted && out.contains("no such plan"), "{out}");
    let (accepted, _, said) = explained(&good, &[]);
    assert!(!accepted && said.contains("VOXGATE_JWT_SECRET"), "{said}");
}

#[test]
fn help_names_every_command_and_where_settings_come_from() {
    let (code, help, _) = voxgate(&["--help"], &[]);
    assert_eq!(code, Some(0));
    for word in [
        "serve",
        "transcribe",
        "check",
        "token",
        "usage",
        "health",
        "--config",
        "OPENAI_API_KEY",
        "VOXGATE_JWT_SECRET",
        "REDIS_URL",
    ] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
    for command in ["serve", "transcribe", "check", "token", "usage", "health", "completions", "man"] {
        let (code, help, _) = voxgate(&[command, "--help"], &[]);
        assert!(code == Some(0) && help.contains("Usage:"), "{help}");
    }
    let (code, _, said) = voxgate(&["sevre"], &[]);
    assert!(code == Some(2) && said.contains("serve"), "{said}");
}

/// Packages are built where there are no settings, or wrong ones.
#[test]
fn completions_and_manual_pages_need_no_settings() {
    let wrong = [("VOXGATE_BIND", "nowhere")];
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef voxgate"), ("fish", "complete -c voxgate")] {
        let (code, script, said) = voxgate(&["completions", shell], &wrong);
        assert_eq!(code, Some(0), "{said}");
        assert!(script.contains(word) && script.contains("transcribe"), "{shell}:\n{script}");
    }
    let (code, page, said) = voxgate(&["man"], &wrong);
    assert_eq!(code, Some(0), "{said}");
    assert!(page.contains(".TH voxgate 1") && page.contains("OPENAI_API_KEY"), "{page}");
    assert_eq!(voxgate(&["completions", "tcsh"], &[]).0, Some(2));
}

#[test]
fn bash_can_read_its_completions() {
    let (_, script, _) = voxgate(&["completions", "bash"], &[]);
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Each page is read as `man` does, and its lines of code are those of `--help`.
#[test]
fn every_command_has_a_manual_page_that_man_can_read() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    let (code, _, said) = voxgate(&["man", "--output", pages.to_str().unwrap()], &[]);
    assert_eq!(code, Some(0), "{said}");
    let mut names: Vec<_> = std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(
        names.contains(&pages.join("voxgate.1")) && names.contains(&pages.join("voxgate-transcribe.1")),
        "{names:?}"
    );
    let page = std::fs::read_to_string(pages.join("voxgate-transcribe.1")).unwrap();
    assert!(page.contains(".nf\n  voxgate transcribe recordings/"), "{page}");
    for name in &names {
        let text = std::fs::read_to_string(name).unwrap();
        assert!(text.contains(".TH voxgate") && text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{text}");
    }
    let Some(groff) = require_tool("groff", TOOLS) else { return };
    let read = Command::new(groff).args(["-K", "utf8", "-man", "-ww", "-z"]).args(&names).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
}

#[tokio::test]
async fn health_asks_a_running_gateway() {
    let gateway = Gateway::start().await;
    let address = gateway.address.to_string();
    let (code, _, said) = voxgate(&["health", "--address", &address], &[]);
    assert_eq!(code, Some(0), "{said}");
    drop(gateway);
    let (code, _, said) = voxgate(&["health", "--address", &address], &[]);
    assert!(code == Some(1) && said.contains(&address), "{said}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_said() {
    let gateway = Gateway::start().await;
    let address = gateway.address.to_string();
    let (code, _, said) = voxgate(&["serve"], &[("VOXGATE_BIND", &address), ("VOXGATE_OPS_BIND", "127.0.0.1:0")]);
    assert!(code == Some(1) && said.contains(&address), "{said}");
}
