mod console;
mod providers;
mod speech;
mod telemetry;

use std::io::Write;
use std::num::NonZeroU32;

use super::*;
use crate::domain::{AudioMs, NanoUsd};

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
    assert!(settings.fixed.server.is_loopback());
    assert!(settings.identity.is_empty());
    assert_eq!(settings.default_model, "gpt-transcribe");
    assert_eq!(settings.intake.max_audio_bytes, 536_870_912);
}

#[test]
fn a_list_in_a_variable_has_commas_or_is_json() {
    let origins = ["https://a.example", "https://b.example"].map(str::to_owned).to_vec();
    for text in [
        "https://a.example,https://b.example",
        " https://a.example , https://b.example ",
        r#"["https://a.example", "https://b.example"]"#,
        " [\"https://a.example\",\n\"https://b.example\"] ",
    ] {
        let settings = load("", &[("VOXGATE_CORS__ORIGINS", text)]).unwrap();
        assert_eq!(settings.fixed.cors.origins, origins, "{text}");
    }
    for text in ["10.0.0.0/8,::1", r#"["10.0.0.0/8", "::1"]"#] {
        let settings = load("", &[("VOXGATE_SERVER__TRUSTED_PROXIES", text)]).unwrap();
        assert_eq!(settings.fixed.server.trusted_proxies.len(), 2, "{text}");
    }
    let settings = load("", &[("VOXGATE_CORS__ORIGINS", "[]")]).unwrap();
    assert!(settings.fixed.cors.origins.is_empty());
    for text in ["[\"https://a.example\"", "[1, 2]", "[\"\"]", "https://a.example,,", "{\"a\": 1}"] {
        let said = problems("", &[("VOXGATE_CORS__ORIGINS", text)]);
        assert!(said.contains("VOXGATE_CORS__ORIGINS"), "{text}: {said}");
    }
}

#[test]
fn the_books_of_the_sandbox_are_those_of_a_gateway_that_has_nothing_else() {
    let key = ("OPENAI_API_KEY", "sk-1");
    let other = "[providers.groq]\npreset = \"groq\"\napi_key = \"g\"\n[models.turbo]\nprovider = \"groq\"\n";
    let redis = ("REDIS_URL", "redis://127.0.0.1:6379/0");
    for (toml, environment, namespace) in [
        ("", vec![], Namespace::Sandbox),
        ("", vec![redis], Namespace::Sandbox),
        ("", vec![key, redis], Namespace::Production),
        // The work of the other provider costs money.
        (other, vec![redis], Namespace::Production),
    ] {
        let store = load(toml, &environment).unwrap().fixed.store;
        assert_eq!(store.namespace, namespace, "{toml}{environment:?}");
        assert!(store.redis.is_none_or(|redis| redis.namespace == namespace));
    }
}

#[test]
fn the_example_file_holds_the_defaults_and_nothing_unknown() {
    let [example, defaults] = [include_str!("../../voxgate.example.toml"), ""].map(|text| {
        // Each is in its own file.
        Settings { files: Files::default(), ..load(text, &[]).unwrap() }
    });
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
    assert!(!problems.contains("unknown key") && !problems.contains("is not TOML"), "{problems}");
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_is_unset() {
    let toml = "[server]\nbind = \"127.0.0.1:1\"\n[intake]\nmax_fields = 5\n[relay]\nkeep_alive = \"3s\"";
    let environment = [("VOXGATE_BIND", "127.0.0.1:2"), ("VOXGATE_INTAKE__MAX_FIELDS", "7"), ("OPENAI_API_KEY", "")];
    let settings = load(toml, &environment).unwrap();
    assert_eq!(settings.fixed.server.bind.port(), 2);
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
        "models.mine.formats: got \"xml\"; takes \"json\", \"text\"",
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
    let key = settings.providers["openai"].keys[0].secret.clone();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&key), "sk-from-a-file");
    assert!(!settings.uses_sandbox());
    assert!(!format!("{settings:?}").contains("sk-from-a-file"));
    let both = problems("", &[("OPENAI_API_KEY_FILE", path), ("OPENAI_API_KEY", "sk-inline")]);
    assert!(both.contains("providers.openai.api_key_file (OPENAI_API_KEY_FILE): api_key is given too"), "{both}");
    let toml = format!("[providers.openai]\napi_key_file = {path:?}");
    let settings = load(&toml, &[("OPENAI_API_KEY", "sk-of-the-environment")]).unwrap();
    let key = settings.providers["openai"].keys[0].secret.clone();
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
fn a_plan_limits_what_it_names_and_nothing_else() {
    let toml = r#"
        [plans.pro]
        requests_per_minute = 60
        audio_seconds_per_minute = 90
        max_concurrent = 4
        monthly_usd = "5.00"
        monthly_audio_minutes = 600
        [plans.bursty]
        requests_per_minute = 60
        burst = 5
        audio_seconds_per_minute = 90
        audio_burst_seconds = 5400
        monthly_usd = 5
    "#;
    let plans = load(toml, &[]).unwrap().plans;
    let (pro, bursty, default) = (&plans["pro"], &plans["bursty"], &plans["default"]);
    let requests = |plan: &Plan| plan.requests.map(|rate| (rate.per_minute.get(), rate.burst.get()));
    let audio = |plan: &Plan| plan.audio.map(|rate| (rate.per_minute.get(), rate.burst.get()));
    assert_eq!(
        (requests(pro), audio(pro)),
        (Some((60, 60)), Some((90_000, 90_000))),
        "a burst is what a minute allows"
    );
    assert_eq!((requests(bursty), audio(bursty)), (Some((60, 5)), Some((90_000, 5_400_000))));
    let budgets = |plan: &Plan| (plan.monthly_usd.map(NanoUsd::get), plan.monthly_audio.map(AudioMs::get));
    assert_eq!(budgets(pro), (Some(5_000_000_000), Some(36_000_000)));
    assert_eq!(budgets(bursty), (Some(5_000_000_000), None), "whole dollars may be a number");
    assert_eq!((pro.concurrent.map(NonZeroU32::get), bursty.concurrent), (Some(4), None));
    assert_eq!((requests(default), audio(default), budgets(default)), (None, None, (None, None)));
}

#[test]
fn a_limit_that_makes_no_sense_is_named_with_what_is_taken() {
    let cases = [
        ("requests_per_minute = 0", "requests_per_minute: got 0; takes a whole number from 1 to 1000000"),
        ("requests_per_minute = 1.5", "requests_per_minute: got 1.5; takes a whole number"),
        ("requests_per_minute = 60\nburst = 0", "burst: got 0; takes a whole number from 1 to 1000000"),
        ("burst = 5", "burst: needs requests_per_minute beside it"),
        ("audio_seconds_per_minute = \"1h\"", "audio_seconds_per_minute: got \"1h\"; takes a whole number"),
        ("audio_burst_seconds = 5", "audio_burst_seconds: needs audio_seconds_per_minute beside it"),
        (
            "audio_seconds_per_minute = 60\naudio_burst_seconds = 14401",
            "audio_burst_seconds: got 14401; takes 14400 at most, what four hours allow",
        ),
        ("max_concurrent = 0", "max_concurrent: got 0; takes a whole number from 1 to 1000000"),
        ("monthly_usd = 5.0", "monthly_usd: got 5.0; takes US dollars as a string, from \"0\""),
        ("monthly_usd = \"-1\"", "monthly_usd: got \"-1\"; takes US dollars as a string"),
        ("monthly_usd = \"$5\"", "monthly_usd: got \"$5\"; takes US dollars as a string"),
        ("monthly_usd = \"0.0000000001\"", "with up to 9 decimals, such as \"0.0045\""),
        ("monthly_usd = \"9000000.01\"", "from \"0\" to \"9000000\""),
        ("monthly_audio_minutes = -1", "monthly_audio_minutes: got -1; takes a whole number from 0 to 1000000000"),
        ("monthly_audio_hours = 5", "monthly_audio_hours: unknown key; did you mean monthly_audio_minutes?"),
    ];
    for (toml, said) in cases {
        let problems = problems(&format!("[plans.pro]\n{toml}"), &[]);
        assert!(problems.starts_with("1 mistake ") && problems.contains("plans.pro."), "{toml}: {problems}");
        assert!(problems.contains(said), "{toml}: {problems}");
    }
}

#[test]
fn a_price_is_exact_and_whole_or_not_there() {
    let toml = r#"
        [models.free]
        usd_per_minute = "0"
        [models.unpriced]
        [models.whisper-1]
        usd_per_minute = "0.000000001"
        [models.by-tokens]
        usd_per_minute = 1
        usd_per_million_input_tokens = "2.50"
        usd_per_million_output_tokens = "10.00"
    "#;
    let models = load(toml, &[]).unwrap().models;
    let price = |name: &str| models[name].price.map(|price| (price.per_minute.get(), price.tokens.is_some()));
    assert_eq!(price("free"), Some((0, false)));
    assert_eq!(price("unpriced"), None);
    assert_eq!(price("whisper-1"), Some((1, false)));
    assert_eq!(price("by-tokens"), Some((1_000_000_000, true)));
    assert_eq!(price("gpt-4o-transcribe"), Some((6_000_000, true)), "the list prices are built in");
    let cases = [
        ("usd_per_minute = 0.006", "usd_per_minute: got 0.006; takes US dollars as a string"),
        (
            "usd_per_million_input_tokens = \"2.50\"\nusd_per_million_output_tokens = \"10.00\"",
            "usd_per_minute: is missing; it is what is charged before the work is done",
        ),
        (
            "usd_per_minute = \"0.006\"\nusd_per_million_input_tokens = \"2.50\"",
            "usd_per_million_output_tokens: is missing; give the prices of both or of none",
        ),
    ];
    for (toml, said) in cases {
        let problems = problems(&format!("[models.mine]\n{toml}"), &[]);
        assert!(problems.starts_with("1 mistake ") && problems.contains(said), "{toml}: {problems}");
    }
}

#[test]
fn the_store_is_embedded_unless_redis_is_named() {
    let store = load("", &[]).unwrap().fixed.store;
    assert_eq!((store.data_dir.to_str(), store.redis.is_none()), (Some("voxgate-data"), true));
    assert_eq!((store.max_pending, store.on_failure), (100_000, OnStoreFailure::Local));
    assert_eq!(store.keep_records.as_secs(), 62 * 24 * 3600);
    let environment = [
        ("VOXGATE_DATA_DIR", "/var/lib/voxgate"),
        ("VOXGATE_ON_STORE_FAILURE", "deny"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:6379/0"),
        ("VOXGATE_REDIS__TIMEOUT", "1s"),
        ("VOXGATE_LEDGER__KEEP_DAYS", "90"),
    ];
    let settings = load("on_store_failure = \"local\"\n[store]\ndata_dir = \"elsewhere\"", &environment).unwrap();
    let (store, redis) = (&settings.fixed.store, settings.fixed.store.redis.as_ref().unwrap());
    assert_eq!((store.data_dir.to_str(), store.on_failure), (Some("/var/lib/voxgate"), OnStoreFailure::Deny));
    assert_eq!((redis.timeout.as_secs(), store.keep_records.as_secs()), (1, 90 * 24 * 3600));
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn redis_is_one_server_or_the_nodes_of_a_cluster() {
    let nodes = |url: &str| load("", &[("REDIS_URL", url)]).unwrap().fixed.store.redis.unwrap().url.cluster_nodes();
    for one in
        ["redis://h", "redis://h:1/0", "rediss://user:pass@h:1/0", "redis+unix:///run/redis.sock", "unix:///run/r"]
    {
        assert_eq!(nodes(one), None, "{one}");
    }
    let listed = |nodes: [&str; 2]| Some(nodes.map(str::to_owned).to_vec());
    assert_eq!(nodes("redis+cluster://h1:1,h2:2"), listed(["redis://h1:1", "redis://h2:2"]));
    assert_eq!(nodes("redis+cluster://h1:1,h2:2/0"), listed(["redis://h1:1", "redis://h2:2"]));
    let with_login = listed(["rediss://me:p@ss@h1:1", "rediss://me:p@ss@h2:2"]);
    assert_eq!(nodes("rediss+cluster://me:p@ss@h1:1,h2:2"), with_login, "each node has the login");
}

#[test]
fn a_store_that_makes_no_sense_is_named_and_its_address_never_shown() {
    let cases = [
        ("on_store_failure = \"ignore\"", "on_store_failure: got \"ignore\"; takes \"local\" or \"deny\""),
        ("[store]\nmax_pending = 0", "store.max_pending: got 0; takes a whole number from 1 to 10000000"),
        ("[store]\ndata_dri = \"x\"", "store.data_dri: unknown key; did you mean data_dir?"),
        ("[ledger]\nkeep_days = 31", "ledger.keep_days: got 31; takes a whole number from 32 to 3660"),
        ("[redis]\ntimeout = 250", "redis.timeout: got 250; takes a duration from 1ms to 24h"),
        ("[redis]\nurl = \"hunter2@h\"", "redis.url: got a value that is not shown; takes redis:"),
        ("[redis]\nurl = \"http://hunter2@h\"", "redis.url: got a value that is not shown"),
        ("[redis]\nurl = \"redis://hunter2@h:port\"", "redis.url: got a value that is not shown"),
        ("[redis]\nurl = \"redis+cluster://h1:1,\"", "redis.url: got a value that is not shown"),
    ];
    for (toml, said) in cases {
        let problems = problems(toml, &[]);
        assert!(problems.contains(said) && !problems.contains("hunter2"), "{toml}: {problems}");
    }
}

#[test]
fn what_could_only_fail_later_is_reported_at_start() {
    let cases = [
        ("[providers.openai]\nbase_url = \"http://127.0.0.1:1\"", "base_url: has no path"),
        ("[providers.openai]\napi_key = \"two\\nlines\"", "api_key: takes one word"),
        ("[models.whisper-1]\noptions = [\"promt\"]", "options: got \"promt\"; takes \"language\""),
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
