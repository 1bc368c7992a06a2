//! `[upstream]`, `[providers]` and the model entries that serve as fallbacks.

use std::num::NonZeroU32;

use super::{OPENAI, load, problems};

#[test]
fn an_answer_may_have_a_byte() {
    let (answer, event) = ("upstream.max_answer_bytes", "relay.max_event_bytes");
    for (key, value) in [(answer, 0_u64), (event, 0), (event, 1 << 31)] {
        let (section, name) = key.split_once('.').unwrap();
        let said = problems(&format!("[{section}]\n{name} = {value}"), &[]);
        assert!(said.contains(&format!("{key}: got {value}; takes a whole number from 1 to 1073741824")), "{said}");
    }
}

#[test]
fn a_default_model_of_another_provider_leaves_no_sandbox() {
    let toml = "default_model = \"mine\"\n[providers.local]\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                [models.mine]\nprovider = \"local\"";
    let settings = load(toml, &[]).unwrap();
    assert_eq!(settings.models.keys().collect::<Vec<_>>(), ["mine"]);
    assert!(!settings.uses_sandbox() && !settings.providers.contains_key(OPENAI));
    let with_key = load(toml, &[("OPENAI_API_KEY", "sk-1")]).unwrap();
    assert!(with_key.models.contains_key("whisper-1"), "a key makes OpenAI's models usable");
}

#[test]
fn a_provider_has_one_key_or_several_with_names_and_weights() {
    let toml = r#"
        [[providers.openai.keys]]
        name = "a"
        api_key = "sk-a"
        weight = 3
        [[providers.openai.keys]]
        name = "b"
        api_key = "sk-b"
    "#;
    let settings = load(toml, &[]).unwrap();
    assert!(!settings.uses_sandbox());
    assert!(!format!("{settings:?}").contains("sk-a"));
    let keys: Vec<_> =
        settings.providers["openai"].keys.iter().map(|key| (key.name.as_str(), key.weight.get())).collect();
    assert_eq!(keys, [("a", 3), ("b", 1)]);
    let both = problems(toml, &[("OPENAI_API_KEY", "sk-c")]);
    assert!(both.contains("providers.openai.keys: api_key or api_key_file is given too"), "{both}");
    let cases = [
        ("name = \"a\"", "providers.openai.keys[0].api_key: is required"),
        ("api_key = \"sk-a\"", "providers.openai.keys[0].name: is required"),
        ("name = \"a\"\napi_key = \"sk-a\"\nweight = 0", "keys[0].weight: got 0; takes a whole number from 1 to 1000"),
        ("name = \"a\"\napi_key = \"sk a\"", "keys[0].api_key: takes one word"),
        ("name = \"a\"\napi_key_file = \"/nowhere/key\"", "keys[0].api_key_file: /nowhere/key cannot be read"),
        (
            "name = \"a\"\napi_key = \"x\"\n[[providers.openai.keys]]\nname = \"a\"\napi_key = \"y\"",
            "is the name of two keys",
        ),
    ];
    for (key, said) in cases {
        let problems = problems(&format!("[[providers.openai.keys]]\n{key}"), &[]);
        assert!(problems.contains(said), "{key}: {problems}");
    }
}

#[test]
fn rows_that_stand_in_are_other_rows_each_named_once() {
    let toml = "[models.gpt-transcribe]\nweight = 3\nfallbacks = [\"whisper-1\", { model = \"gpt-4o-transcribe\", weight = 2 }]";
    let model = &load(toml, &[]).unwrap().models["gpt-transcribe"];
    let fallbacks: Vec<_> =
        model.fallbacks.iter().map(|it| (it.model.as_str(), it.weight.map(NonZeroU32::get))).collect();
    assert_eq!((model.weight.get(), fallbacks), (3, vec![("whisper-1", None), ("gpt-4o-transcribe", Some(2))]));
    let cases = [
        ("[\"nobody\"]", "models.gpt-transcribe.fallbacks: \"nobody\" is not a model"),
        ("[\"gpt-transcribe\"]", "\"gpt-transcribe\" is the row itself, or named twice"),
        ("[\"whisper-1\", \"whisper-1\"]", "\"whisper-1\" is the row itself, or named twice"),
        ("[{ model = \"whisper-1\", weight = 0 }]", "takes a list of models"),
        ("[{ model = \"whisper-1\", wieght = 2 }]", "takes a list of models"),
        ("[7]", "takes a list of models"),
    ];
    for (fallbacks, said) in cases {
        let problems = problems(&format!("[models.gpt-transcribe]\nfallbacks = {fallbacks}"), &[]);
        assert!(problems.starts_with("1 mistake ") && problems.contains(said), "{fallbacks}: {problems}");
    }
    // Off loopback, OpenAI's model entries are not offered without a key, and are no fallbacks.
    let toml = "default_model = \"mine\"\n[providers.local]\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                [models.mine]\nprovider = \"local\"\nfallbacks = [\"whisper-1\"]";
    let environment = [("VOXGATE_BIND", "0.0.0.0:0"), ("VOXGATE_JWT_SECRET", "0123456789abcdef0123456789abcdef")];
    assert!(load(toml, &environment).unwrap().models["mine"].fallbacks.is_empty());
}

#[test]
fn a_preset_fills_in_what_is_not_given() {
    let toml = r#"
        [providers.a]
        preset = "azure"
        base_url = "https://r.openai.azure.com"
        query = "api-version=later"
        [providers.g]
        preset = "groq"
        [providers.m]
        preset = "mistral"
        [providers.w]
        preset = "whisper.cpp"
        base_url = "http://127.0.0.1:1"
        path = "/v1/audio/transcriptions"
    "#;
    let providers = load(toml, &[]).unwrap().providers;
    let wire = |name: &str| providers[name].wire.clone();
    assert_eq!((wire("a").auth_header.as_str(), wire("a").query.as_deref()), ("api-key", Some("api-version=later")));
    assert_eq!(wire("a").path, "/openai/deployments/{model}/audio/{task}");
    assert_eq!(providers["g"].base_url.as_str(), "https://api.groq.com/openai/v1");
    assert_eq!(providers["m"].base_url.as_str(), "https://api.mistral.ai/v1");
    assert!(wire("g").list_brackets && !wire("m").list_brackets);
    assert_eq!((wire("w").path.as_str(), wire("w").omit), ("/v1/audio/transcriptions", vec!["model".to_owned()]));
    let cases = [
        ("preset = \"aws\"", "preset: got \"aws\"; takes \"openai\", \"azure\""),
        ("preset = \"azure\"", "base_url: is required"),
        ("path = \"audio\"", "path: takes a path that starts with a slash"),
        ("path = \"/{deployment}\"", "path: has braces around something else"),
        ("path = \"/a?b=c\"", "path: takes a path that starts with a slash, without a query"),
        ("query = \"?a=b\"", "query: takes what follows the question mark"),
        ("auth_header = \"a key\"", "auth_header: got \"a key\"; takes the name of a header"),
        ("auth_header = \"Content-Type\"", "auth_header: \"content-type\" is sent for another purpose"),
        ("omit = [\"file\"]", "omit: names the file"),
        ("fields = { model = \"x\" }", "fields: \"model\" is not a field that can be set here"),
        ("fields = { \"a b\" = \"x\" }", "fields: \"a b\" is not a field"),
        ("fields = { a = [1] }", "fields.a: got a array; takes a string"),
        ("translation_fields = 7", "translation_fields: got a integer; takes a table"),
    ];
    for (key, said) in cases {
        let address = if key.starts_with("preset") { "" } else { "base_url = \"http://127.0.0.1:1/v1\"\n" };
        let problems = problems(&format!("[providers.p]\n{address}{key}"), &[]);
        assert!(problems.contains("providers.p.") && problems.contains(said), "{key}: {problems}");
    }
}

#[test]
fn tries_and_the_breaker_are_settings_within_reason() {
    let upstream = load("", &[]).unwrap().upstream;
    assert_eq!((upstream.max_attempts, upstream.backoff.as_millis(), upstream.max_backoff.as_secs()), (3, 250, 8));
    assert_eq!((upstream.breaker.failures.map(NonZeroU32::get), upstream.breaker.pause.as_secs()), (Some(5), 10));
    assert_eq!(load("[upstream]\nbreaker_failures = 0", &[]).unwrap().upstream.breaker.failures, None);
    let cases = [
        ("max_attempts = 0", "max_attempts: got 0; takes a whole number from 1 to 10"),
        ("max_attempts = 11", "max_attempts: got 11; takes a whole number from 1 to 10"),
        ("backoff = \"9s\"", "max_backoff: is shorter than backoff"),
        ("breaker_pause = 10", "breaker_pause: got 10; takes a duration"),
    ];
    for (toml, said) in cases {
        let problems = problems(&format!("[upstream]\n{toml}"), &[]);
        assert!(problems.starts_with("1 mistake ") && problems.contains(said), "{toml}: {problems}");
    }
}
