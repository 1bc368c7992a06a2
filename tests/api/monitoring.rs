//! What `deploy/` has for Prometheus and Grafana asks for nothing that a gateway does not say.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

use crate::support::busy_gateway::Busy;
use crate::support::repository;
use crate::support::scrape::Scrape;
use crate::support::tools::{TOOLS, require_tool};

/// Labels that Prometheus puts on everything that it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn dashboard() -> Value {
    serde_json::from_str(&repository::text("deploy/grafana/voxgate.json")).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Every expression, and where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for group in list(&repository::yaml("deploy/prometheus/alerts.yml"), "groups") {
        for rule in list(group, "rules") {
            all.push((rule["alert"].as_str().unwrap().to_owned(), rule["expr"].as_str().unwrap().to_owned()));
        }
    }
    assert!(!all.is_empty());
    let (rules, board) = (all.len(), dashboard());
    for panel in list(&board, "panels") {
        for target in list(panel, "targets") {
            // Grafana puts spans of time here before it asks.
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$__rate_interval", "5m").replace("$__range", "3h");
            all.push((panel["title"].as_str().unwrap().to_owned(), expression));
        }
    }
    assert!(all.len() > rules);
    all
}

/// The series that an expression asks for.
#[derive(Default)]
struct Asked(Vec<VectorSelector>);

impl ExprVisitor for Asked {
    type Error = String;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
        match expression {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(range) => self.0.push(range.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

fn asked(place: &str, expression: &str) -> Vec<VectorSelector> {
    let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{place}: {error}: {expression}"));
    let mut asked = Asked::default();
    walk_expr(&mut asked, &parsed).unwrap();
    assert!(!asked.0.is_empty(), "{place} asks for nothing");
    asked.0
}

#[tokio::test]
async fn every_series_of_the_dashboard_and_the_alerts_is_one_that_a_gateway_has() {
    let Busy { gateway: _gateway, scrape, .. } = Busy::gateway().await;
    let mut used = BTreeSet::new();
    for (place, expression) in expressions() {
        for selector in asked(&place, &expression) {
            let name = selector.name.clone().unwrap_or_else(|| panic!("{place} names no metric"));
            if name == "up" {
                continue;
            }
            let samples = scrape.samples.get(&name).unwrap_or_else(|| panic!("{place}: there is no {name}"));
            for matcher in &selector.matchers.matchers {
                let label = matcher.name.as_str();
                let known = OF_PROMETHEUS.contains(&label) || samples.iter().all(|s| s.labels.contains_key(label));
                assert!(known, "{place}: {name} has no label {label}");
                // A word that only one of a few can be.
                if label == "state" && matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual) {
                    let is_one = samples.iter().any(|sample| sample.labels[label] == matcher.value);
                    assert!(is_one, "{place}: {name} is never in the state {}", matcher.value);
                }
            }
            used.insert(name);
        }
    }
    // And the other way round: what is measured is shown.
    let is_shown = |name: &str| {
        let of_histogram = |end| name.strip_suffix(end).is_some_and(|name| used.contains(&format!("{name}_bucket")));
        used.contains(name) || of_histogram("_sum") || of_histogram("_count")
    };
    let unseen: Vec<_> = scrape.samples.keys().filter(|name| !is_shown(name)).collect();
    assert_eq!(unseen, Vec::<&String>::new());
}

#[tokio::test]
async fn what_groups_by_a_label_groups_by_one_that_is_there() {
    let Busy { gateway: _gateway, scrape, .. } = Busy::gateway().await;
    let Scrape { samples, .. } = &scrape;
    for (place, expression) in expressions() {
        let selectors = asked(&place, &expression);
        let labels = |name: &Option<String>| {
            let first = name.as_ref().and_then(|name| samples.get(name)?.first());
            first.map(|sample| sample.labels.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
        };
        let known: BTreeSet<_> = selectors.iter().flat_map(|selector| labels(&selector.name)).collect();
        for group in expression.split("by (").skip(1) {
            for label in group.split(')').next().unwrap().split(',').map(str::trim) {
                assert!(known.contains(label) || OF_PROMETHEUS.contains(&label), "{place}: no label {label}");
            }
        }
    }
}

/// A status that was never told has no series: without a zero in its place a panel is empty for as long as all is well.
#[test]
fn a_share_of_what_may_never_happen_is_shown_as_zero() {
    let shares = expressions().into_iter().filter(|(place, _)| !place.starts_with("Voxgate"));
    let shares: Vec<_> = shares.filter(|(_, expression)| expression.contains("status=~\"5..\"")).collect();
    assert!(!shares.is_empty());
    for (place, expression) in shares {
        assert!(expression.contains("or vector(0)) /"), "{place}: {expression}");
    }
}

#[test]
fn alerts_say_what_to_do_and_how_urgent_it_is() {
    let rules = repository::yaml("deploy/prometheus/alerts.yml");
    let guide = include_str!("../../docs/observability.md");
    let mut names = BTreeSet::new();
    for rule in list(&rules, "groups").iter().flat_map(|group| list(group, "rules")) {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} twice");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.ends_with('.')), "{name}: {text}");
        }
        assert!(guide.contains(&format!("`{name}`")), "docs/observability.md does not name {name}");
    }
}

#[test]
fn prometheus_takes_the_rules_and_its_settings() {
    let Some(promtool) = require_tool("promtool", TOOLS) else { return };
    let with = |arguments: &[&str], file: &str| {
        let output = Command::new(&promtool).args(arguments).arg(repository::path(file)).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "promtool {arguments:?}: {said}");
    };
    with(&["check", "config"], "deploy/prometheus/prometheus.yml");
    with(&["check", "rules"], "deploy/prometheus/alerts.yml");
    with(&["test", "rules"], "deploy/prometheus/alerts.test.yml");
}

#[test]
fn panels_have_ids_and_places_of_their_own() {
    let board = dashboard();
    let panels = list(&board, "panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut cells = BTreeSet::new();
    for panel in panels {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for cell in
            (side("y")..side("y") + side("h")).flat_map(|y| (side("x")..side("x") + side("w")).map(move |x| (x, y)))
        {
            assert!(cells.insert(cell), "two panels at {cell:?}");
        }
    }
}

/// No engine can be asked here; this is what can be seen on paper.
#[test]
fn the_compose_profile_runs_what_is_there_pinned_and_wired_to_the_gateway() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compose = repository::yaml("docker-compose.yml");
    let environment = std::fs::read_to_string(root.join(".env.example")).unwrap();
    for name in ["prometheus", "grafana"] {
        let service = &compose["services"][name];
        assert_eq!(service["profiles"], serde_json::json!(["observability"]), "{name}");
        let image = service["image"].as_str().unwrap();
        let tag = image.trim_end_matches('}').rsplit_once(':').unwrap().1;
        assert!(
            tag.trim_start_matches('v').split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3,
            "{image}"
        );
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        let mounts =
            list(service, "volumes").iter().filter_map(Value::as_str).filter_map(|mount| mount.split_once(':'));
        let files: Vec<_> = mounts.filter(|(from, _)| from.starts_with("./")).collect();
        assert!(!files.is_empty());
        for (from, to) in files {
            assert!(root.join(from).exists(), "{name}: there is no {from}");
            assert!(to.ends_with(":ro"), "{name}: {to}");
        }
        // Variables that can be set are in the example.
        let text = service.to_string();
        for variable in text.split("${").skip(1).map(|rest| rest.split([':', '}']).next().unwrap()) {
            assert!(environment.contains(&format!("{variable}=")), ".env.example has no {variable}");
        }
    }
    let settings = repository::yaml("deploy/prometheus/prometheus.yml");
    let job = &settings["scrape_configs"][0];
    assert_eq!(job["job_name"], "voxgate", "alerts name it");
    assert_eq!(job["dns_sd_configs"][0]["names"], serde_json::json!(["gateway"]));
    let file = std::fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert!(file.contains(&format!("VOXGATE_OPS_BIND=0.0.0.0:{}", job["dns_sd_configs"][0]["port"])));
    let source = repository::yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
}
