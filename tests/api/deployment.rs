//! What `deploy/` has for Kubernetes, systemd, Zeabur and Lambda sets nothing that a gateway does not take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::redis_server::Server;
use crate::support::repository::{self, list, word};
use crate::support::tools::{TOOLS, require_tool};

type Variables = BTreeMap<String, String>;

/// Those of a way to deploy, and the settings file that goes with them.
struct Way {
    name: &'static str,
    variables: Variables,
    settings: String,
}

fn ways() -> [Way; 4] {
    let kubernetes =
        list(&repository::yaml("deploy/kubernetes/deployment.yaml"), "/spec/template/spec/containers/0/env");
    let kubernetes = kubernetes.iter().map(|variable| (word(variable, "/name"), optional(variable, "/value")));
    let settings = word(&repository::yaml("deploy/kubernetes/configmap.yaml"), "/data/voxgate.toml");
    let unit = repository::text("deploy/systemd/voxgate.service");
    let example = repository::text("deploy/systemd/voxgate.env.example");
    let systemd = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    // What is commented out there is an offer like the rest.
    let offered = example.lines().map(|line| line.trim_start_matches('#')).filter(|line| !line.starts_with(' '));
    let systemd = systemd.chain(offered).filter_map(pair);
    let zeabur = zeabur("voxgate")["spec"]["env"].clone();
    let zeabur =
        zeabur.as_object().unwrap().iter().map(|(name, is)| (name.clone(), word(is, "/default"))).collect::<Vec<_>>();
    let image = repository::text("deploy/lambda/Dockerfile");
    let image = image.lines().filter_map(|line| pair(line.trim_start_matches("ENV").trim().trim_end_matches(" \\")));
    let function = yaml_of_lambda()["Resources"]["Gateway"]["Properties"]["Environment"]["Variables"].clone();
    let function = function.as_object().unwrap().iter().map(|(name, is)| (name.clone(), optional(is, "")));
    let way = |name, variables, settings| Way { name, variables, settings };
    [
        way("kubernetes", kubernetes.collect(), settings),
        way("systemd", systemd.collect(), String::new()),
        way("zeabur", zeabur.into_iter().collect(), String::new()),
        way("lambda", image.chain(function).collect(), String::new()),
    ]
}

fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase()).then(|| (name.to_owned(), value.to_owned()))
}

fn zeabur(service: &str) -> Value {
    let services = list(&repository::yaml("deploy/zeabur/template.yaml"), "/spec/services");
    services.into_iter().find(|one| one["name"] == service).unwrap()
}

/// The template has tags of its own in YAML, which are no part of what is looked at here.
fn yaml_of_lambda() -> Value {
    let text = repository::text("deploy/lambda/template.yaml").replace("!Sub ", "").replace("!GetAtt ", "");
    serde_norway::from_str(&text).unwrap()
}

fn optional(value: &Value, at: &str) -> String {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What a test has to say for itself: its addresses, its folders, its secrets.
const OF_THE_TEST: [&str; 11] = [
    "VOXGATE_BIND",
    "VOXGATE_OPS_BIND",
    "VOXGATE_DATA_DIR",
    "VOXGATE_CONFIG",
    "VOXGATE_INTAKE__SPOOL_DIR",
    "VOXGATE_JWT_SECRET",
    "VOXGATE_JWT_SECRET_FILE",
    "OPENAI_API_KEY",
    "OPENAI_API_KEY_FILE",
    "REDIS_URL",
    "RUST_LOG",
];

async fn start(way: &Way, redis: &Server) -> Gateway {
    // What the test says for itself is in variables, which win.
    let setup = Setup::new().config(&way.settings).without("VOXGATE_REDIS__TIMEOUT");
    let kept = way.variables.iter().filter(|(name, _)| !OF_THE_TEST.contains(&name.as_str()));
    let setup = kept.fold(setup, |setup, (name, value)| setup.env(name, value));
    if way.variables.contains_key("REDIS_URL") && way.name != "systemd" {
        return setup.env("REDIS_URL", &redis.url()).start().await;
    }
    setup.start().await
}

#[tokio::test]
async fn a_gateway_starts_with_what_each_way_to_deploy_sets_and_answers_its_probes() {
    let redis = Server::start();
    for way in ways() {
        assert!(way.variables.len() > 3, "{}", way.name);
        let gateway = start(&way, &redis).await;
        assert_eq!(gateway.transcribe(Form::new().file(&audio::wav(300))).await.status, 200, "{}", way.name);
        for path in ["/health/live", "/health/ready", "/metrics"] {
            assert_eq!(gateway.send(gateway.operational(path)).await.status, 200, "{}: {path}", way.name);
        }
        // Zeabur can ask the first listener alone.
        assert_eq!(gateway.send(gateway.get("/health/ready")).await.status, 200);
    }
}

/// The other half of the test above: what is not a setting would have stopped it.
#[test]
fn a_misspelt_setting_would_be_noticed() {
    let folder = TempDir::new().unwrap();
    let check = |settings: &str, variables: &[(&str, &str)]| {
        let file = folder.path().join("voxgate.toml");
        std::fs::write(&file, settings).unwrap();
        let data = folder.path().join("data");
        let own = [
            ("VOXGATE_CONFIG", file.to_str().unwrap()),
            ("VOXGATE_DATA_DIR", data.to_str().unwrap()),
            ("VOXGATE_INTAKE__SPOOL_DIR", folder.path().to_str().unwrap()),
            ("VOXGATE_BIND", "127.0.0.1:0"),
        ];
        let output = run(&["check"], &[&own, variables].concat(), folder.path());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for way in ways() {
        let kept = way.variables.iter().filter(|(name, _)| !OF_THE_TEST.contains(&name.as_str()));
        let kept: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        let as_it_is: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (well, said) = check(&way.settings, &as_it_is);
        assert!(well, "{}: {said}", way.name);
        for (at, (name, _)) in kept.iter().enumerate().filter(|(_, (name, _))| name.contains("__")) {
            let wrong = format!("{name}X");
            let mut variables = as_it_is.clone();
            variables[at].0 = &wrong;
            let (well, said) = check(&way.settings, &variables);
            assert!(!well && said.contains("unknown key"), "{}: {wrong}: {said}", way.name);
        }
        let keys = way.settings.lines().filter_map(|line| Some((line, line.split_once(" = ")?.0)));
        for (line, key) in keys.filter(|(line, _)| !line.starts_with('#')) {
            let wrong = way.settings.replacen(line, &line.replacen(key, &format!("{key}x"), 1), 1);
            let (well, said) = check(&wrong, &as_it_is);
            assert!(!well && said.contains("unknown key"), "{}: {key}: {said}", way.name);
        }
    }
}

/// A variable without two underscores that is none of the gateway's is left alone by it, so a start says nothing of those.
#[test]
fn every_variable_of_a_single_word_is_one_that_the_readme_has() {
    let readme = include_str!("../../README.md");
    let of_the_adapter =
        ["AWS_LWA_PORT", "AWS_LWA_INVOKE_MODE", "AWS_LWA_READINESS_CHECK_PORT", "AWS_LWA_READINESS_CHECK_PATH"];
    for way in ways() {
        for name in way.variables.keys().filter(|name| !name.contains("__")) {
            let known = readme.contains(&format!("`{name}`")) || of_the_adapter.contains(&name.as_str());
            assert!(known, "{}: {name}", way.name);
        }
    }
}

#[test]
fn wherever_others_can_connect_a_missing_secret_is_an_error() {
    let ways = ways();
    for way in &ways {
        let secrets = ["OPENAI_API_KEY", "VOXGATE_JWT_SECRET"];
        for secret in secrets {
            let given = [secret.to_owned(), format!("{secret}_FILE")];
            assert_eq!(given.iter().filter(|name| way.variables.contains_key(*name)).count(), 1, "{}", way.name);
        }
        let bind = way.variables.get("VOXGATE_BIND").cloned();
        let bind = bind.unwrap_or_else(|| {
            toml::from_str::<toml::Table>(&way.settings).unwrap()["server"]["bind"].as_str().unwrap().into()
        });
        let bind: SocketAddr = bind.parse().unwrap();
        // With systemd the proxy is on the same machine.
        assert_eq!(bind.ip().is_loopback(), way.name == "systemd", "{}", way.name);
        assert_eq!(bind.port(), 8080, "{}", way.name);
    }
    // What Zeabur cannot keep to itself it does not have.
    assert_eq!(ways[2].variables["VOXGATE_OPS_BIND"], "127.0.0.1:9090");
}

#[test]
fn zeabur_publishes_the_first_listener_alone_and_makes_no_secret_of_ours_up() {
    let gateway = zeabur("voxgate");
    let ports: Vec<_> = list(&gateway, "/spec/ports").iter().map(|port| port["port"].as_u64().unwrap()).collect();
    assert_eq!(ports, [8080]);
    let template = repository::yaml("deploy/zeabur/template.yaml");
    assert_eq!((word(&template, "/apiVersion"), word(&template, "/kind")), ("zeabur.com/v1".into(), "Template".into()));
    let asked: Vec<_> = list(&template, "/spec/variables").iter().map(|one| word(one, "/key")).collect();
    let redis = zeabur("redis")["spec"]["env"].clone();
    let redis = redis.as_object().unwrap();
    for (name, is) in gateway["spec"]["env"].as_object().unwrap() {
        for used in word(is, "/default").split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()) {
            let exposed = redis.get(&used).is_some_and(|is| is["expose"] == true);
            assert!(asked.contains(&used) || exposed, "{name} uses {used}, which nobody gives");
        }
    }
    assert!(list(&gateway, "/dependencies").contains(&Value::from("redis")));
    assert!(asked.contains(&word(&gateway, "/domainKey")));
}

#[test]
fn lambda_streams_and_its_adapter_asks_where_the_gateway_is() {
    let function = yaml_of_lambda()["Resources"]["Gateway"]["Properties"].clone();
    let variables = &ways()[3].variables;
    assert_eq!(function["FunctionUrlConfig"]["InvokeMode"], "RESPONSE_STREAM");
    assert_eq!(variables["AWS_LWA_INVOKE_MODE"], "response_stream");
    let port = |name: &str| variables[name].parse::<SocketAddr>().unwrap().port().to_string();
    assert_eq!(variables["AWS_LWA_PORT"], port("VOXGATE_BIND"));
    assert_eq!(variables["AWS_LWA_READINESS_CHECK_PORT"], port("VOXGATE_OPS_BIND"));
    // The start of all gateways above has asked this path on that listener.
    assert_eq!(variables["AWS_LWA_READINESS_CHECK_PATH"], "/health/live");
    // 6 MB of base64, and something around the recording.
    let largest: u64 = variables["VOXGATE_INTAKE__MAX_AUDIO_BYTES"].parse().unwrap();
    assert!((largest + 16_384).div_ceil(3) * 4 < 6 * 1024 * 1024 - 262_144, "{largest}");
    let disk: u64 = variables["VOXGATE_INTAKE__MAX_SPOOL_DISK_BYTES"].parse().unwrap();
    assert!(disk < function["EphemeralStorage"]["Size"].as_u64().unwrap() * 1024 * 1024);
    for folder in ["VOXGATE_DATA_DIR", "VOXGATE_INTAKE__SPOOL_DIR"] {
        assert!(variables[folder].starts_with("/tmp"), "nothing else can be written to");
    }
}

#[test]
fn images_are_pinned() {
    let compose = include_str!("../../docker-compose.yml");
    let version = env!("CARGO_PKG_VERSION");
    let dockerfile = repository::text("deploy/lambda/Dockerfile");
    let bases = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next());
    let bases = bases.map(str::to_owned);
    let images = ["redis", "voxgate"].map(|name| word(&zeabur(name), "/spec/source/image"));
    let pod = word(&repository::yaml("deploy/kubernetes/deployment.yaml"), "/spec/template/spec/containers/0/image");
    for image in bases.chain(images).chain([pod]) {
        let (name, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        match name.rsplit('/').next().unwrap() {
            "voxgate" => assert_eq!(tag, version),
            "redis" => assert!(compose.contains(&image), "{image} is not what the compose file runs"),
            _ => assert_eq!(tag.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{image}"),
        }
    }
}

fn directive(name: &str) -> String {
    let unit = repository::text("deploy/systemd/voxgate.service");
    let mut found = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.next().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[test]
fn the_unit_waits_for_requests_in_flight_and_hands_over_keys_as_credentials() {
    let wait: u64 = directive("TimeoutStopSec").trim_end_matches('s').parse().unwrap();
    assert!(include_str!("../../voxgate.example.toml").contains("\nshutdown_timeout = \"30s\""));
    assert!(wait > 30, "{wait}");
    let unit = repository::text("deploy/systemd/voxgate.service");
    for (variable, credential) in [("OPENAI_API_KEY_FILE", "openai_api_key"), ("VOXGATE_JWT_SECRET_FILE", "jwt_secret")]
    {
        assert!(unit.contains(&format!("Environment={variable}=%d/{credential}\n")), "{variable}");
        assert!(unit.contains(&format!("LoadCredential={credential}:/")), "{credential}");
    }
    assert!(directive("ExecReload").ends_with("kill -HUP $MAINPID"));
}

#[test]
fn systemd_takes_the_unit_and_finds_it_little_exposed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("voxgate.service");
    let unit = repository::text("deploy/systemd/voxgate.service")
        .replace("/usr/local/bin/voxgate", env!("CARGO_BIN_EXE_voxgate"));
    let Some(analyze) = require_tool("systemd-analyze", TOOLS) else { return };
    let ask = |arguments: &[&str], unit: &str| {
        std::fs::write(&file, unit).unwrap();
        let output = Command::new(&analyze).args(arguments).arg(&file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    // It succeeds even where it does not know a word.
    let verify = |unit: &str| ask(&["verify", "--man=no"], unit);
    let (well, said) = verify(&unit);
    assert!(well && !said.contains("voxgate.service"), "{said}");
    let (_, said) = verify(&unit.replace("ProtectHome=", "ProtectHouse="));
    assert!(said.contains("ProtectHouse"), "{said}");
    // Tenths of its scale, which goes from 0 to 10.
    let security = |unit: &str| ask(&["security", "--offline=true", "--no-pager", "--threshold=20"], unit);
    let (well, said) = security(&unit);
    assert!(well, "{said}");
    assert!(!security("[Service]\nExecStart=/bin/true\n").0, "anything would do");
}
