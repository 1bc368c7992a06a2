//! `[telemetry]`

use super::{Reloaded, load, problems};

#[test]
fn where_traces_go_is_set_as_everything_else_and_shown_nowhere() {
    assert_eq!(load("", &[]).unwrap().fixed.telemetry.otlp_endpoint, None);
    let file = "[telemetry]\notlp_endpoint = \"http://collector:4318\"";
    let variable = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://traces.example.com/?key=k-1");
    for (settings, host) in [(load(file, &[]), "collector"), (load(file, &[variable]), "traces.example.com")] {
        let settings = settings.unwrap();
        assert_eq!(settings.fixed.telemetry.otlp_endpoint.as_ref().and_then(|url| url.host_str()), Some(host));
        assert!(!format!("{settings:?}").contains(host));
    }
    let wrong = problems("[telemetry]\notlp_endpoint = \"collector:4318\"", &[]);
    assert!(wrong.contains("telemetry.otlp_endpoint: got a value that is not shown; takes an address"), "{wrong}");
}

#[test]
fn only_a_start_changes_where_traces_go() {
    let old = load("", &[]).unwrap();
    let new = load("[telemetry]\notlp_endpoint = \"http://collector:4318\"", &[]).unwrap();
    let Reloaded { settings, need_restart } = new.for_running(&old);
    assert_eq!((settings.fixed.telemetry, need_restart), (old.fixed.telemetry, vec!["telemetry"]));
}
