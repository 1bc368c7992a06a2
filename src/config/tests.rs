use std::io::Write;

use super::*;

fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_source(Some(file.path()), environment)
}

fn problems(toml: &str, environment: &[(&str, &str)]) -> String {
    load(toml, environment).expect_err("these settings are wrong").to_string()
}

#[test]
fn nothing_set_is_a_sandbox_on_loopback() {
    let settings = load("", &[]).unwrap();
    assert!(settings.uses_sandbox());
    assert!(settings.server.is_loopback());
    assert!(settings.identity.is_empty());
    assert_eq!(settings.default_model, "gpt-transcribe");
    assert_eq!(settings.intake.max_audio_bytes, 26_214_400);
}

#[test]
fn the_example_file_holds_the_defaults_and_nothing_unknown() {
    let example = load(include_str!("../../voxgate.example.toml"), &[]).unwrap();
    let defaults = load("", &[]).unwrap();
    assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
}

#[test]
fn every_key_that_the_example_explains_is_taken() {
    // The keys that are commented out are settings too: `# key = value`.
    let written = include_str!("../../voxgate.example.toml").lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
            rest
        }
        _ => line,
    });
    let text = written.collect::<Vec<_>>().join("\n");
    let problems = problems(&text, &[]);
    assert!(!problems.contains("unknown key"), "{problems}");
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_is_unset() {
    let toml = "[server]\nbind = \"127.0.0.1:1\"\n[intake]\nmax_fields = 5\n[relay]\nkeep_alive = \"3s\"";
    let environment = [("VOXGATE_BIND", "127.0.0.1:2"), ("VOXGATE_INTAKE__MAX_FIELDS", "7"), ("OPENAI_API_KEY", "")];
    let settings = load(toml, &environment).unwrap();
    assert_eq!(settings.server.bind.port(), 2);
    assert_eq!(settings.intake.max_fields, 7);
    assert_eq!(settings.relay.keep_alive.as_secs(), 3);
    assert!(settings.uses_sandbox());
}

#[test]
fn every_mistake_is_reported_at_once_with_its_key_what_came_and_what_is_taken() {
    let toml = r#"
        default_model = "nope"
        [server]
        bind = "here"
        header_timeout = 10
        wokers = 3
        [identity]
        jwt_algorithm = "none"
        [providers.openai]
        base_url = "ftp://x"
        [models.mine]
        provider = "nobody"
        formats = ["json", "xml"]
        [plans.free]
        models = ["unheard-of"]
    "#;
    let said = problems(toml, &[("VOXGATE_RELAY__KEEP_ALIVE", "soon")]);
    for line in [
        "default_model: got \"nope\"; takes one of: gpt-4o",
        "server.bind: got \"here\"; takes an address and a port",
        "server.header_timeout: got 10; takes a duration",
        "server.wokers: unknown key; did you mean workers?",
        "identity.jwt_algorithm: got \"none\"; takes \"HS256\"",
        "providers.openai.base_url: got a value that is not shown; takes an address that starts with https://",
        "models.mine.provider: got \"nobody\"; takes one of: openai",
        "models.mine.formats: \"xml\" is not one of json, text",
        "plans.free.models: \"unheard-of\" is not a model",
        "relay.keep_alive (VOXGATE_RELAY__KEEP_ALIVE): got \"soon\"",
    ] {
        assert!(said.contains(line), "missing: {line}\nin: {said}");
    }
    assert!(said.starts_with("10 mistakes"), "{said}");
}

#[test]
fn off_loopback_both_missing_secrets_are_named() {
    let said = problems("", &[("VOXGATE_BIND", "0.0.0.0:0")]);
    assert!(said.contains("set OPENAI_API_KEY or"), "{said}");
    assert!(said.contains("set VOXGATE_JWT_SECRET or"), "{said}");
}

#[test]
fn a_short_secret_is_refused_off_loopback_and_never_shown() {
    let environment =
        [("VOXGATE_BIND", "0.0.0.0:0"), ("OPENAI_API_KEY", "sk-provider"), ("VOXGATE_JWT_SECRET", "tiny-secret")];
    let said = problems("", &environment);
    assert!(said.contains("identity.jwt_secret (VOXGATE_JWT_SECRET): got 11 bytes; takes 32 or more"), "{said}");
    assert!(!said.contains("tiny-secret") && !said.contains("sk-provider"), "{said}");
}

#[test]
fn a_secret_is_read_from_its_file_without_the_line_break_at_the_end() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "sk-from-a-file").unwrap();
    let path = file.path().to_str().unwrap();
    let settings = load("", &[("OPENAI_API_KEY_FILE", path)]).unwrap();
    let key = settings.providers["openai"].api_key.clone().unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&key), "sk-from-a-file");
    assert!(!settings.uses_sandbox());
    assert!(!format!("{settings:?}").contains("sk-from-a-file"));
    let both = problems("", &[("OPENAI_API_KEY_FILE", path), ("OPENAI_API_KEY", "sk-inline")]);
    assert!(both.contains("providers.openai.api_key_file (OPENAI_API_KEY_FILE): api_key is given too"), "{both}");
    let toml = format!("[providers.openai]\napi_key_file = {path:?}");
    let settings = load(&toml, &[("OPENAI_API_KEY", "sk-of-the-environment")]).unwrap();
    let key = settings.providers["openai"].api_key.clone().unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&key), "sk-of-the-environment", "the environment wins");
    let gone = problems("", &[("OPENAI_API_KEY_FILE", "/nowhere/key")]);
    assert!(gone.contains("/nowhere/key cannot be read"), "{gone}");
}

#[test]
fn a_models_row_changes_what_it_gives_and_keeps_the_rest() {
    let toml = "[models.whisper-1]\nupstream_model = \"large-v3\"\n[models.new]\nprovider = \"openai\"";
    let models = load(toml, &[]).unwrap().models;
    assert_eq!(models["whisper-1"].upstream_model, "large-v3");
    assert!(!models["whisper-1"].streams, "the built-in row says so");
    assert_eq!(models["new"].upstream_model, "new");
    assert!(models["new"].formats.is_none());
}

#[test]
fn another_provider_alone_needs_no_openai_key_off_loopback() {
    let toml = r#"
        default_model = "mine"
        [providers.local]
        base_url = "http://127.0.0.1:9/v1/"
        [models.mine]
        provider = "local"
    "#;
    let secret = "0123456789abcdef0123456789abcdef";
    let settings = load(toml, &[("VOXGATE_BIND", "0.0.0.0:0"), ("VOXGATE_JWT_SECRET", secret)]).unwrap();
    assert_eq!(settings.models.keys().collect::<Vec<_>>(), ["mine"]);
    assert_eq!(settings.providers["local"].base_url.as_str(), "http://127.0.0.1:9/v1");
    assert!(!settings.uses_sandbox());
    assert!(!settings.providers.contains_key(OPENAI), "no recording may go where nobody sent it");
}

#[test]
fn a_secret_in_the_place_of_a_table_is_not_shown() {
    let environment = [("VOXGATE_PROVIDERS__OPENAI", "sk-live-secret"), ("OPENAI_BASE_URL", "ftp://user:hunter2@host")];
    for said in [
        problems("", &environment[..1]),
        problems("", &environment[1..]),
        problems("[identity]\nkeys = [\"sk-live-secret\"]", &[]),
    ] {
        assert!(!said.contains("sk-live") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn what_could_only_fail_later_is_reported_at_start() {
    let cases = [
        ("[providers.openai]\nbase_url = \"http://127.0.0.1:1\"", "base_url: has no path"),
        ("[providers.openai]\napi_key = \"two\\nlines\"", "api_key: takes one word"),
        ("[models.whisper-1]\noptions = [\"promt\"]", "options: \"promt\" is not one of language"),
        ("[models.whisper-1]\ntasks = []", "tasks: is empty"),
        ("[intake]\nmax_fields = 0", "max_fields: got 0; takes a number from 1"),
        ("[intake]\nmax_reference_bytes = 9000000000000000000", "max_reference_bytes: it and"),
    ];
    for (toml, said) in cases {
        let problems = problems(toml, &[]);
        assert!(problems.contains(said) && !problems.contains("two"), "{toml}: {problems}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named_without_its_content() {
    let said = problems("[server]\njwt = = \"hidden-secret\"", &[]);
    assert!(said.contains("is not TOML: line 2"), "{said}");
    assert!(!said.contains("hidden-secret"), "{said}");
    let missing = Settings::from_source(Some(Path::new("/nowhere/voxgate.toml")), []).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/voxgate.toml: cannot be read"), "{missing}");
}
