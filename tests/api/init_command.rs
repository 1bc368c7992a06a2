//! `voxgate init`: a settings file that a gateway starts with, and secrets that stay secret.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Setup, TRANSCRIPTIONS, run};
use crate::support::provider::KEY;
use crate::support::token::SECRET;

fn init(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let arguments: Vec<_> = ["init"].iter().chain(arguments).copied().collect();
    let Output { status, stdout, stderr } = run(&arguments, variables, folder);
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_gateway_starts_with_what_is_written() {
    let folder = TempDir::new().unwrap();
    // Settings that cannot be used are no hindrance.
    let broken = [("VOXGATE_CONFIG", "/nowhere.toml"), ("VOXGATE_BIND", "nowhere")];
    let (code, said) = init(folder.path(), &[], &broken);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(names(folder.path()), ["secrets", "voxgate.toml"].map(str::to_owned).into());
    let (settings, secrets) = (folder.path().join("voxgate.toml"), folder.path().join("secrets"));
    assert_eq!((mode(&secrets), mode(&secrets.join("jwt_secret"))), (0o700, 0o600));
    let secret = fs::read_to_string(secrets.join("jwt_secret")).unwrap();
    assert!(secret.len() >= 64 && !said.contains(&secret), "{said}");
    assert!(!fs::read_to_string(&settings).unwrap().contains(&secret));

    // From another folder: the paths are absolute.
    let elsewhere = TempDir::new().unwrap();
    let file = settings.to_str().unwrap();
    let checked = run(&["check", "--config", file], &[], elsewhere.path());
    let report = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{report}");
    let made = run(&["--config", file, "token", "--sub", "alice"], &[], elsewhere.path());
    let token = String::from_utf8(made.stdout).unwrap();
    let setup = ["VOXGATE_JWT_SECRET", "VOXGATE_DATA_DIR", "OPENAI_API_KEY", "OPENAI_BASE_URL"];
    let setup = setup.iter().fold(Setup::new(), |setup, name| setup.without(name));
    let gateway = setup.arguments(&["--config", file]).start().await;
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(token.trim());
    let answer = gateway.send(Form::new().field("model", "gpt-transcribe").file(&audio::wav(1000)).on(request)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(names(folder.path()).contains("voxgate-data"), "{:?}", names(folder.path()));
}

#[test]
fn nothing_that_is_there_is_changed() {
    let folder = TempDir::new().unwrap();
    let settings = folder.path().join("voxgate.toml");
    fs::write(&settings, "# mine").unwrap();
    symlink("/nowhere", folder.path().join("link.toml")).unwrap();
    for name in ["voxgate.toml", "link.toml"] {
        let (code, said) = init(folder.path(), &[name], &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("/{name} is there already")), "{said}");
    }
    assert_eq!(fs::read_to_string(&settings).unwrap(), "# mine");
    assert_eq!(names(folder.path()), ["link.toml", "voxgate.toml"].map(str::to_owned).into());
    let (code, said) = init(folder.path(), &["nowhere/voxgate.toml"], &[]);
    assert!(code == Some(1) && said.contains("nowhere cannot be used"), "{said}");
}

#[test]
fn a_secret_that_is_there_is_used_if_it_is_good() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secrets/jwt_secret");
    fs::create_dir(secret.parent().unwrap()).unwrap();
    fs::write(&secret, "short").unwrap();
    let (code, said) = init(folder.path(), &[], &[]);
    assert!(code == Some(1) && said.contains("secrets/jwt_secret is there already, and is shorter"), "{said}");
    assert_eq!(names(folder.path()), ["secrets".to_owned()].into());
    fs::write(&secret, SECRET).unwrap();
    fs::write(folder.path().join("secrets/openai_api_key"), KEY).unwrap();
    let (code, said) = init(folder.path(), &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
    let written = fs::read_to_string(folder.path().join("voxgate.toml")).unwrap();
    assert!(written.contains("\napi_key_file = \"") && !written.contains(KEY), "{written}");
}

#[test]
fn no_secret_of_the_environment_is_written() {
    let folder = TempDir::new().unwrap();
    let redis = "redis://user:confidential@localhost";
    let variables = [("OPENAI_API_KEY", KEY), ("VOXGATE_JWT_SECRET", SECRET), ("REDIS_URL", redis)];
    let (code, said) = init(folder.path(), &[], &variables);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(names(folder.path()), ["voxgate.toml".to_owned()].into());
    let all = said + &fs::read_to_string(folder.path().join("voxgate.toml")).unwrap();
    for secret in [KEY, SECRET, "confidential"] {
        assert!(!all.contains(secret), "{all}");
    }
    for name in ["OPENAI_API_KEY", "VOXGATE_JWT_SECRET", "REDIS_URL"] {
        assert!(all.contains(&format!("{name} was set")), "{all}");
    }
}

#[test]
fn any_path_that_settings_can_name_is_a_good_one() {
    let folder = TempDir::new().unwrap();
    let odd = folder.path().join("{api_key} \"{redis}\" # '");
    fs::create_dir(&odd).unwrap();
    let (code, said) = init(&odd, &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    let checked = run(&["--config", "voxgate.toml", "check"], &[], &odd);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let written = fs::read_to_string(odd.join("voxgate.toml")).unwrap();
    assert!(written.contains("{redis}"), "{written}");
}

#[test]
fn a_path_that_settings_cannot_name_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("a\nb")).unwrap();
    for (file, told) in [
        ("a\nb/voxgate.toml", "no line break"),
        ("a\u{7f}.toml", "no line break"),
        ("conf/", "conf/ is no name of a file"),
        ("conf/.", "conf/. is no name of a file"),
    ] {
        let (code, said) = init(folder.path(), &[file], &[]);
        assert!(code == Some(1) && said.contains(told) && !said.contains("a\nb"), "{file:?}: {said}");
    }
    assert_eq!(names(folder.path()), ["a\nb".to_owned()].into());
    assert_eq!(names(&folder.path().join("a\nb")), BTreeSet::new());
}

#[test]
fn the_folder_for_a_key_that_is_missing_is_private() {
    let folder = TempDir::new().unwrap();
    let (code, said) = init(folder.path(), &[], &[("VOXGATE_JWT_SECRET", SECRET)]);
    assert!(code == Some(0) && said.contains("with mode 0600"), "{said}");
    assert_eq!(mode(&folder.path().join("secrets")), 0o700);
}

#[test]
fn of_several_at_once_one_writes() {
    let folder = TempDir::new().unwrap();
    let runs = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| init(folder.path(), &[], &[]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(runs.iter().filter(|(code, _)| *code == Some(0)).count(), 1, "{runs:?}");
    for (_, said) in runs.iter().filter(|(code, _)| *code != Some(0)) {
        assert!(said.contains("voxgate.toml is there already"), "{said}");
    }
    assert_eq!(names(folder.path()), ["secrets", "voxgate.toml"].map(str::to_owned).into());
    assert_eq!(names(&folder.path().join("secrets")), ["jwt_secret".to_owned()].into());
    let checked = run(&["--config", "voxgate.toml", "check"], &[], folder.path());
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
