//! docker-compose.yml, as far as a machine without a container engine can judge it: by the Compose specification, by what
//! it says of itself, and by the gateway that it starts. `tests/containers.sh` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::compose_file::{
    FILE, Variable, Variables, compose, entries, has_a_profile, list, mounts, names, of_the_profile_local, path, read,
    set_by, text, yaml,
};
use crate::support::form::Form;
use crate::support::gateway::{Setup, TRANSCRIPTIONS, run};
use crate::support::provider::{Expectations, Provider};
use crate::support::tools::{TOOLS, require_tool};
use crate::support::{audio, token};

/// Publishes the operator's page.
const OPERATOR: &str = "deploy/compose/operator.yml";
/// What lies over it in tests/containers.sh.
const LAID_OVER: [&str; 3] = [OPERATOR, "tests/containers/compose.yml", "tests/containers/local.yml"];
/// What has one thing to do and ends.
const ERRANDS: [&str; 2] = ["redis-volume", "speech-model"];
/// Its health check is in the Dockerfile.
const GATEWAY: &str = "gateway";
/// Read by compose itself.
const OF_COMPOSE: &str = "COMPOSE_PROFILES";

#[test]
fn the_files_are_what_the_compose_specification_says() {
    let Some(schema) = require_tool(".test-tools/compose-spec.json", TOOLS) else { return };
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for name in [FILE].into_iter().chain(LAID_OVER) {
        for file in [yaml(name), read(name, &Variables::new()).0] {
            let faults: Vec<_> =
                schema.iter_errors(&file).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
            assert_eq!(faults, Vec::<String>::new(), "{name}");
        }
    }
    let mut misspelt = compose();
    misspelt["services"][GATEWAY]["red_only"] = json!(true);
    assert!(!schema.is_valid(&misspelt), "the schema takes everything");
}

/// The variables that the files for operators ask for.
fn asked_by_operators() -> Vec<Variable> {
    [FILE, OPERATOR].into_iter().flat_map(|file| read(file, &Variables::new()).1).collect()
}

#[test]
fn every_variable_has_a_default_that_the_example_tells() {
    let asked = asked_by_operators();
    let example = text(".env.example");
    let shown: BTreeSet<_> = example.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).collect();
    for Variable { name, default, .. } in &asked {
        let default = default.as_ref().unwrap_or_else(|| panic!("{name} has no default"));
        let told: Vec<_> = shown.iter().filter(|(shown, _)| shown == name).map(|(_, value)| *value).collect();
        assert_eq!(told.len(), 1, "{name} in .env.example");
        // Without one here it is the gateway's own, and without one there it has to be chosen.
        let is_path = ["VOXGATE_CONFIG"].contains(&name.as_str());
        assert!(default.is_empty() || is_path || told == [default], "{name}: {told:?} is not {default}");
    }
}

#[test]
fn the_example_and_the_profile_local_set_nothing_that_compose_does_not_read() {
    let asked = asked_by_operators();
    let is_read = |name: &str| name == OF_COMPOSE || asked.iter().any(|variable| variable.name == name);
    let example = text(".env.example");
    let mut section = "";
    let mut seen = 0;
    for line in example.lines() {
        section = line.strip_prefix("# ---- ").unwrap_or(section);
        let Some((name, _)) = line.strip_prefix('#').and_then(|line| line.split_once('=')) else { continue };
        if name.contains(' ') {
            continue;
        }
        seen += 1;
        // These two are in files for compose, as the example says.
        let elsewhere =
            section.starts_with("Without containers") || ["OPENAI_API_KEY", "VOXGATE_JWT_SECRET"].contains(&name);
        assert_ne!(is_read(name), elsewhere, "{name}, below \"{section}\"");
    }
    assert!(seen > 20, "the example is not read");
    for name in of_the_profile_local().keys() {
        assert!(is_read(name), "{name} in deploy/compose/local.env");
    }
    // As it stands, the example changes nothing.
    assert_eq!(set_by(&example), Variables::new());
}

/// What compose gives the gateway with these variables set, with the container's paths replaced by those in `folder`,
/// listening on every address as in the Dockerfile.
fn given(variables: &Variables, folder: &Path) -> Variables {
    let (compose, _) = read(FILE, variables);
    let gateway = &compose["services"][GATEWAY];
    let places: BTreeMap<_, _> = mounts(gateway).into_iter().map(|(source, target)| (target, path(&source))).collect();
    let mut given = Variables::new();
    for (name, value) in entries(&gateway["environment"]) {
        let value = value.as_str().unwrap_or_else(|| panic!("{name} is no text"));
        let of_secret = value.strip_prefix("/run/secrets/").map(|name| folder.join(name));
        let place = of_secret.or_else(|| places.get(value).cloned());
        given.insert(name.to_owned(), place.map_or_else(|| value.to_owned(), |place| place.display().to_string()));
    }
    assert!(text("Dockerfile").contains("VOXGATE_BIND=0.0.0.0:8080"));
    given.insert("VOXGATE_BIND".to_owned(), "0.0.0.0:8080".to_owned());
    given
}

/// `voxgate token` reads the settings as every command does, and reaches for nobody.
fn token_with(variables: &Variables, folder: &Path) -> (bool, String) {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let Output { status, stderr, .. } = run(&["token", "--sub", "alice"], &variables, folder);
    let said = String::from_utf8(stderr).unwrap();
    // The token's id is no complaint.
    (status.success(), if status.success() && said.contains("token id ") { String::new() } else { said })
}

#[test]
fn the_gateway_takes_every_variable_that_it_is_given() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("jwt_secret"), token::SECRET).unwrap();
    std::fs::write(folder.path().join("openai_api_key"), "sk-1").unwrap();
    let mut given = given(&Variables::new(), folder.path());
    assert_eq!(token_with(&given, folder.path()), (true, String::new()));
    // An address that no machine has (RFC 5737), so that a gateway that finds nothing wrong ends all the same.
    given.insert("VOXGATE_BIND".to_owned(), "192.0.2.1:8080".to_owned());
    let wrong = "/no!!=!!such";
    for name in given.keys() {
        // What is not read cannot be wrong.
        let mut variables = given.clone();
        variables.insert(name.clone(), wrong.to_owned());
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let Output { status, stderr, .. } = run(&["serve"], &variables, folder.path());
        let said = String::from_utf8(stderr).unwrap();
        let is_named = said.contains(name.as_str()) || (name == "VOXGATE_CONFIG" && said.contains(wrong));
        assert!(!status.success() && is_named, "{name}: {said}");
    }
}

#[test]
fn the_profile_local_needs_no_key_of_a_provider_and_the_rest_does() {
    let folder = TempDir::new().unwrap();
    let local = given(&of_the_profile_local(), folder.path());
    let (well, said) = token_with(&local, folder.path());
    assert!(!well && said.contains("jwt_secret") && !said.contains("OPENAI_API_KEY"), "{said}");
    std::fs::write(folder.path().join("jwt_secret"), token::SECRET).unwrap();
    assert_eq!(token_with(&local, folder.path()), (true, String::new()));
    let (well, said) = token_with(&given(&Variables::new(), folder.path()), folder.path());
    assert!(!well && said.contains("OPENAI_API_KEY_FILE"), "{said}");
    // Half of deploy/compose/local.env makes the empty file a mistake, never a key.
    let mut half = of_the_profile_local();
    half.remove("VOXGATE_OPENAI_SECRET");
    std::fs::copy(path(&half["OPENAI_API_KEY_FILE"]), folder.path().join("openai_api_key")).unwrap();
    let (well, said) = token_with(&given(&half, folder.path()), folder.path());
    assert!(!well && said.contains("is empty"), "{said}");
}

#[tokio::test]
async fn the_local_profile_uses_the_model_that_it_fetches() {
    let compose = compose();
    let errand = &compose["services"]["speech-model"];
    let address = list(&errand["command"])[0].as_str().unwrap();
    let (server, model) = address.split_once("/models/").unwrap();
    let port = compose["services"]["speech"]["environment"]["UVICORN_PORT"].as_str().unwrap();
    assert_eq!(server, format!("http://speech:{port}/v1"));

    let settings = text(&of_the_profile_local()["VOXGATE_CONFIG"]);
    assert!(settings.contains(&format!("\"{server}\"")), "{settings}");
    let provider = Provider::on(Expectations { keys: Vec::new(), ..Expectations::default() });
    let settings = settings.replace(server, &provider.base_url());
    let gateway = Setup::with_provider(provider.into()).without("OPENAI_API_KEY").without("OPENAI_BASE_URL");
    let gateway = gateway.config(&settings).start().await;
    let got = gateway.send(Form::new().file(&audio::wav(300)).on(gateway.post(TRANSCRIPTIONS))).await;
    assert_eq!((got.status, got.header("x-voxgate-provider")), (200, Some("speaches")), "{}", got.text());
    let seen = gateway.provider.last();
    assert_eq!((seen.field("model"), seen.header("authorization")), (Some(model), None));
}

#[test]
fn every_service_is_hardened_and_what_runs_on_is_watched_and_started_again() {
    for (name, service) in entries(&compose()["services"]) {
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service["privileged"].is_null() && service["network_mode"] != "host", "{name}");
        let restart = service["restart"].as_str().unwrap_or("no");
        if ERRANDS.contains(&name) {
            assert!(restart == "no" || restart.starts_with("on-failure:"), "{name} would be done for ever: {restart}");
            continue;
        }
        if name == GATEWAY {
            // Without its settings it says what is missing and ends; for ever would be without a word.
            assert_eq!(restart, "on-failure:3", "{name}");
            continue;
        }
        assert_eq!(restart, "unless-stopped", "{name}");
        let check = &service["healthcheck"];
        assert!(list(&check["test"]).len() > 1, "{name} has no health check");
        for key in ["interval", "timeout", "retries"] {
            assert!(!check[key].is_null(), "{name} leaves {key} to the engine");
        }
    }
    let image = text("Dockerfile");
    let (_, last) = image.rsplit_once("\nFROM ").unwrap();
    assert!(last.contains("\nHEALTHCHECK --interval=") && last.contains("\nUSER 65532:65532\n"), "{last}");
}

#[test]
fn every_image_is_of_a_version() {
    let compose = compose();
    for (name, service) in entries(&compose["services"]) {
        let image = service["image"].as_str().unwrap_or_else(|| panic!("{name} has no image"));
        let tag = image.rsplit('/').next().unwrap().split_once(':').unwrap_or_else(|| panic!("{name}: {image}")).1;
        let version = tag.trim_start_matches('v').split('-').next().unwrap();
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{name}: {image} may be any version");
    }
    assert_eq!(compose["services"][GATEWAY]["image"], concat!("voxgate:", env!("CARGO_PKG_VERSION")));
}

#[test]
fn services_wait_for_what_is_there_and_can_come_about() {
    let compose = compose();
    let services = &compose["services"];
    let mut waits = 0;
    for (name, service) in entries(services) {
        for (other, how) in entries(&service["depends_on"]) {
            waits += 1;
            let awaited = &services[other];
            assert!(awaited.is_object(), "{name} waits for {other}, which is not there");
            let same = awaited["profiles"] == service["profiles"];
            assert!(same || !has_a_profile(awaited), "{name} waits for {other}, which may not be started");
            match how["condition"].as_str().unwrap() {
                "service_healthy" => assert!(awaited["healthcheck"].is_object() || other == GATEWAY, "{name}: {other}"),
                "service_completed_successfully" => assert!(ERRANDS.contains(&other), "{name}: {other} does not end"),
                condition => panic!("{name} waits for {other} without need: {condition}"),
            }
        }
    }
    assert!(waits > 2, "the services are not read");
}

#[test]
fn without_a_profile_compose_starts_gateway_and_redis() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, service) in entries(&compose()["services"]) {
        let profiles = list(&service["profiles"]).iter().map(|profile| profile.as_str().unwrap().to_owned());
        let profiles: Vec<_> = profiles.collect();
        let profiles = if profiles.is_empty() { vec!["none".to_owned()] } else { profiles };
        for profile in profiles {
            found.entry(profile).or_default().insert(name.to_owned());
        }
    }
    let known = json!({
        "local": ["speech", "speech-model"],
        "none": ["gateway", "redis", "redis-volume"],
        "observability": ["grafana", "prometheus"],
    });
    assert_eq!(json!(found), known);
    assert_eq!(of_the_profile_local()[OF_COMPOSE], "local");
}

#[test]
fn what_is_mounted_is_in_the_repository_or_a_volume() {
    for variables in [Variables::new(), of_the_profile_local()] {
        let (compose, _) = read(FILE, &variables);
        let mut volumes = BTreeSet::new();
        for (name, service) in entries(&compose["services"]) {
            for (source, target) in mounts(service) {
                assert!(target.starts_with('/'), "{name}: {target}");
                if source.starts_with("./") {
                    assert!(path(&source).exists(), "{name} mounts {source}, which is not there");
                } else {
                    volumes.insert(source);
                }
            }
        }
        assert_eq!(json!(volumes), json!(names(&compose["volumes"])), "volumes used, and declared");
    }
}

#[test]
fn networks_and_secrets_are_used_as_they_are_declared() {
    let compose = compose();
    for kind in ["networks", "secrets"] {
        let services = entries(&compose["services"]);
        let used: BTreeSet<_> = services.flat_map(|(_, service)| names(&service[kind])).collect();
        assert_eq!(used, names(&compose[kind]), "{kind} used, and declared");
    }
    let ignored = text(".gitignore");
    assert!(ignored.lines().any(|line| line == "/secrets") && ignored.lines().any(|line| line == ".env"));
}

#[test]
fn the_operators_page_has_its_token_from_a_secret() {
    let (over, _) = read(OPERATOR, &Variables::new());
    let gateway = &over["services"][GATEWAY];
    assert_eq!(names(&gateway["secrets"]), names(&over["secrets"]));
    let token = gateway["environment"]["VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE"].as_str().unwrap();
    assert_eq!(token, "/run/secrets/operator_token");
    assert!(compose()["services"][GATEWAY]["ports"].as_array().unwrap().len() == 1, "without it, clients' port alone");
}

#[test]
fn who_asks_for_no_password_is_reached_by_the_gateway_alone() {
    let compose = compose();
    let on = |network: &str| -> BTreeSet<_> {
        let services = entries(&compose["services"]);
        services.filter(|(_, service)| names(&service["networks"]).contains(network)).map(|(name, _)| name).collect()
    };
    assert_eq!(on("store"), BTreeSet::from([GATEWAY, "redis"]));
    assert_eq!(on("speech"), BTreeSet::from([GATEWAY, "speech", "speech-model"]));
    assert_eq!(compose["networks"]["store"]["internal"], true);
    for name in ["redis", "speech"] {
        let service = &compose["services"][name];
        assert_eq!(names(&service["networks"]).len(), 1, "{name}");
        assert!(service["ports"].is_null() && service["network_mode"].is_null(), "{name}");
    }
}

#[test]
fn what_is_published_is_published_on_this_machine_alone() {
    let mut published = BTreeSet::new();
    let (compose, over) = (compose(), read(OPERATOR, &Variables::new()).0);
    for (name, service) in entries(&compose["services"]).chain(entries(&over["services"])) {
        for port in list(&service["ports"]) {
            let port = port.as_str().unwrap();
            assert!(port.starts_with("127.0.0.1:"), "{name} is published on {port}");
            published.insert(name.to_owned());
        }
    }
    assert_eq!(json!(published), json!([GATEWAY, "grafana", "prometheus"]));
}
