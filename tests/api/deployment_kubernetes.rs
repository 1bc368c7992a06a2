//! The manifests of `deploy/kubernetes` fit each other, and the gateway that they run.

use std::os::unix::fs::symlink;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Provider, key};
use crate::support::repository::{self, list, word};
use crate::support::scrape::Scrape;
use crate::support::{audio, token};

fn manifest(name: &str) -> Value {
    repository::yaml(&format!("deploy/kubernetes/{name}.yaml"))
}

fn pod() -> Value {
    manifest("deployment")["spec"]["template"].clone()
}

fn container() -> Value {
    let containers = list(&pod(), "/spec/containers");
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

fn settings() -> toml::Table {
    word(&manifest("configmap"), "/data/voxgate.toml").parse().unwrap()
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').unwrap().parse().unwrap()
}

fn bytes(quantity: &Value) -> u64 {
    quantity.as_str().unwrap().strip_suffix("Mi").unwrap().parse::<u64>().unwrap() * 1024 * 1024
}

fn setting(section: &str, name: &str) -> u64 {
    settings()[section][name].as_integer().unwrap().try_into().unwrap()
}

#[test]
fn every_manifest_is_listed_or_says_why_it_is_not() {
    let listed = list(&manifest("kustomization"), "/resources");
    let apart = ["kustomization.yaml", "secret.example.yaml", "podmonitor.yaml", "prometheus-adapter.yaml"];
    for entry in std::fs::read_dir(repository::path("deploy/kubernetes")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert_ne!(listed.contains(&json!(name)), apart.contains(&name.as_str()), "{name}");
        let one = repository::yaml(&format!("deploy/kubernetes/{name}"));
        assert!(one.get("metadata").is_none_or(|about| about.get("namespace").is_none()), "{name}: it is the user's");
    }
    for name in listed {
        assert_eq!(
            word(&repository::yaml(&format!("deploy/kubernetes/{}", name.as_str().unwrap())), "/metadata/name"),
            "voxgate"
        );
    }
}

#[test]
fn whoever_selects_pods_selects_the_deployments() {
    let labels = &pod()["metadata"]["labels"];
    let one = json!({ "app.kubernetes.io/name": "voxgate" });
    assert_eq!(labels, &one);
    let selectors = [
        ("deployment", "/spec/selector/matchLabels"),
        ("service", "/spec/selector"),
        ("poddisruptionbudget", "/spec/selector/matchLabels"),
        ("networkpolicy", "/spec/podSelector/matchLabels"),
        ("podmonitor", "/spec/selector/matchLabels"),
    ];
    for (name, at) in selectors {
        assert_eq!(manifest(name).pointer(at), Some(labels), "{name}");
    }
    for spread in list(&pod(), "/spec/topologySpreadConstraints") {
        assert_eq!(&spread["labelSelector"]["matchLabels"], labels);
    }
    let scaled = manifest("horizontalpodautoscaler")["spec"]["scaleTargetRef"].clone();
    let deployment = manifest("deployment");
    for part in ["apiVersion", "kind"] {
        assert_eq!(scaled[part], deployment[part]);
    }
    assert_eq!(scaled["name"], deployment["metadata"]["name"]);
    assert!(deployment["spec"].get("replicas").is_none(), "the autoscaler has them");
    assert_eq!(pod()["spec"]["serviceAccountName"], manifest("serviceaccount")["metadata"]["name"]);
}

#[test]
fn the_gateway_has_no_rights() {
    let pod = pod()["spec"].clone();
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(manifest("serviceaccount")["automountServiceAccountToken"], false);
    let whole = &pod["securityContext"];
    assert_eq!((&whole["runAsNonRoot"], &whole["runAsUser"]), (&json!(true), &json!(65532)));
    assert_eq!(whole["seccompProfile"]["type"], "RuntimeDefault");
    let image = include_str!("../../Dockerfile");
    assert!(image.contains("\nUSER 65532:65532\n"), "the image has another user");
    let own = &container()["securityContext"];
    assert_eq!((&own["allowPrivilegeEscalation"], &own["privileged"]), (&json!(false), &json!(false)));
    assert_eq!(own["readOnlyRootFilesystem"], true);
    assert_eq!(own["capabilities"], json!({ "drop": ["ALL"] }));
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod.get(name).is_none(), "{name}");
    }
}

#[test]
fn the_second_listener_is_for_probes_and_monitoring_alone() {
    let port_of =
        |address: &str| settings()["server"][address].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let ports: Vec<_> = list(&container(), "/ports")
        .iter()
        .map(|port| (word(port, "/name"), port["containerPort"].to_string()))
        .collect();
    assert_eq!(ports, [("http".to_owned(), port_of("bind")), ("ops".to_owned(), port_of("ops_bind"))]);
    let served = list(&manifest("service"), "/spec/ports");
    assert_eq!(served.iter().map(|port| word(port, "/targetPort")).collect::<Vec<_>>(), ["http"]);
    for rule in list(&manifest("networkpolicy"), "/spec/ingress") {
        let [port] = <[Value; 1]>::try_from(list(&rule, "/ports")).unwrap();
        assert_eq!(rule.get("from").is_some(), port["port"] == "ops", "{rule}");
    }
    assert_eq!(list(&manifest("podmonitor"), "/spec/podMetricsEndpoints")[0]["port"], "ops");
}

#[tokio::test]
async fn probes_and_prometheus_ask_what_a_gateway_answers_on_its_second_listener() {
    let gateway = Gateway::start().await;
    let mut paths: Vec<_> = ["startupProbe", "livenessProbe", "readinessProbe"]
        .map(|probe| container()[probe]["httpGet"].clone())
        .map(|get| (word(&get, "/port"), word(&get, "/path")))
        .into();
    let scraped = list(&manifest("podmonitor"), "/spec/podMetricsEndpoints")[0].clone();
    paths.push((word(&scraped, "/port"), word(&scraped, "/path")));
    for (port, path) in paths {
        assert_eq!(port, "ops", "{path}");
        assert_eq!(gateway.send(gateway.operational(&path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn pods_are_counted_by_a_metric_that_a_gateway_has() {
    let metric = list(&manifest("horizontalpodautoscaler"), "/spec/metrics")[0]["pods"].clone();
    let name = word(&metric, "/metric/name");
    let scrape = Scrape::of(&Gateway::start().await).await;
    assert_eq!(scrape.count(&name, &[]), 0, "nothing is in flight");
    assert!(scrape.samples.contains_key(&name), "{name}");
    let rule = list(&manifest("prometheus-adapter"), "/rules/custom")[0].clone();
    assert!(word(&rule, "/seriesQuery").starts_with(&format!("{name}{{")));
    assert_eq!((word(&rule, "/name/matches"), word(&rule, "/name/as")), (format!("^{name}$"), name));
    // 0.6 of what one may have.
    let target: u64 = word(&metric, "/target/averageValue").parse().unwrap();
    assert_eq!(target, (setting("server", "max_in_flight") * 6).div_ceil(10));
}

#[test]
fn a_pod_is_given_the_time_and_the_room_that_its_settings_ask_for() {
    let pod = pod()["spec"].clone();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let before = container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let finishing = seconds(settings()["server"]["shutdown_timeout"].as_str().unwrap());
    assert!(grace >= before + finishing + 5, "{grace}");
    let volume = |name: &str| list(&pod, "/volumes").into_iter().find(|one| one["name"] == name).unwrap();
    let spool = bytes(&volume("spool")["emptyDir"]["sizeLimit"]);
    assert!(spool > setting("intake", "max_spool_disk_bytes"));
    let all = spool + bytes(&volume("data")["emptyDir"]["sizeLimit"]);
    let resources = &container()["resources"];
    assert!(bytes(&resources["limits"]["ephemeral-storage"]) > all);
    assert_eq!(resources["limits"]["cpu"], setting("server", "workers").to_string());
    // Half a kilobyte for each settlement that waits, of 100000.
    assert!(bytes(&volume("data")["emptyDir"]["sizeLimit"]) > 2 * 512 * 100_000);
    // What docs/performance.md measured for 256 uploads at once.
    assert!(include_str!("../../docs/performance.md").contains("| 256 slow uploads of 25 MB: peak, MiB | | | | 161 |"));
    assert_eq!(setting("server", "max_in_flight"), 256);
    assert!(bytes(&resources["requests"]["memory"]) >= 161 * 1024 * 1024);
}

#[test]
fn every_file_that_kubernetes_needs_is_mounted() {
    let (pod, container) = (pod()["spec"].clone(), container());
    let mounts = list(&container, "/volumeMounts");
    let volumes = list(&pod, "/volumes");
    let secret = manifest("secret.example");
    let mounted = |path: &str| {
        let within = |mount: &&Value| Path::new(path).starts_with(word(mount, "/mountPath"));
        let mount = mounts.iter().find(within).unwrap_or_else(|| panic!("{path} is on no volume"));
        assert!(mount.get("subPath").is_none(), "{path} would not be followed");
        volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap().clone()
    };
    for variable in list(&container, "/env") {
        let name = word(&variable, "/name");
        if let Some(reference) = variable.pointer("/valueFrom/secretKeyRef") {
            assert_eq!(reference["name"], secret["metadata"]["name"]);
            assert!(secret["stringData"].get(word(reference, "/key")).is_some(), "{reference}");
        } else if name == "VOXGATE_CONFIG" {
            let volume = mounted(&word(&variable, "/value"));
            assert_eq!(volume["configMap"]["name"], manifest("configmap")["metadata"]["name"]);
            assert!(word(&variable, "/value").ends_with("/voxgate.toml"));
        } else if name.ends_with("_FILE") {
            let path = word(&variable, "/value");
            let volume = mounted(&path);
            assert_eq!(volume["secret"]["secretName"], secret["metadata"]["name"]);
            let file = Path::new(&path).file_name().unwrap().to_str().unwrap();
            let item = list(&volume, "/secret/items").into_iter().find(|item| item["path"] == file).unwrap();
            assert!(secret["stringData"].get(word(&item, "/key")).is_some(), "{item}");
        }
    }
    for path in [&settings()["intake"]["spool_dir"], &settings()["store"]["data_dir"]] {
        assert!(mounted(path.as_str().unwrap()).get("emptyDir").is_some(), "{path} cannot be written to");
    }
    for (key, value) in secret["stringData"].as_object().unwrap() {
        assert_eq!(value, "", "{key}: an example has no values");
    }
}

/// Writes files into a folder of their own and points `..data` there, by one rename, as the kubelet does.
fn mount(folder: &Path, version: &str, files: &[(&str, &str)]) {
    let (data, next) = (folder.join("..data"), folder.join("..data_tmp"));
    std::fs::create_dir(folder.join(version)).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(version).join(name), text).unwrap();
    }
    symlink(version, &next).unwrap();
    std::fs::rename(&next, &data).unwrap();
    for (name, _) in files {
        if !folder.join(name).is_symlink() {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn settings_and_secrets_that_kubernetes_swaps_are_in_force_without_a_restart() {
    const TAKEN: &str = "the settings were read again and are in force";
    const NEW: &str = "the-secret-that-comes-after-it-and-is-as-long-as-it-should-be";
    let (secrets, config) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = |folder: &TempDir, name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let plan = |model: &str| format!("[plans.default]\nmodels = [\"{model}\"]\n");
    let old = [("openai-api-key", key("old")), ("jwt-secret", token::SECRET.to_owned())];
    let new = [("openai-api-key", key("new")), ("jwt-secret", NEW.to_owned())];
    let put = |version: &str, files: &[(&str, String); 2]| {
        mount(secrets.path(), version, &files.each_ref().map(|(name, text)| (*name, text.as_str())));
    };
    put("..2026_01", &old);
    mount(config.path(), "..2026_01", &[("voxgate.toml", &plan("gpt-transcribe"))]);
    let provider = Provider::with_keys(&[&key("old"), &key("new")]);
    let setup = Setup::with_provider(provider.into()).without("OPENAI_API_KEY").without("VOXGATE_JWT_SECRET");
    let setup = setup.env("OPENAI_API_KEY_FILE", &path(&secrets, "openai-api-key"));
    let setup = setup.env("VOXGATE_JWT_SECRET_FILE", &path(&secrets, "jwt-secret"));
    let gateway = setup.arguments(&["--config", &path(&config, "voxgate.toml")]).start().await;
    let status =
        async |token: String| gateway.send(gateway.request(Method::GET, "/v1/models").bearer_auth(token)).await.status;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);

    mount(config.path(), "..2026_02", &[("voxgate.toml", &plan("whisper-1"))]);
    gateway.log.event(TAKEN).await;
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 403, "another plan");
    mount(config.path(), "..2026_03", &[("voxgate.toml", "")]);
    gateway.log.events(TAKEN, 2).await;
    put("..2026_02", &new);
    gateway.log.events(TAKEN, 3).await;
    assert_eq!(status(token::good()).await, 401, "signed with the secret of before");
    let claims = token::claims_with(&json!({}));
    let signed = token::signed(jsonwebtoken::Algorithm::HS256, NEW, &claims);
    let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(signed);
    assert_eq!(gateway.send(Form::new().file(&audio::wav(300)).on(request)).await.status, 200);
    assert_eq!(gateway.provider.keys(), [key("old"), key("new")]);
}
