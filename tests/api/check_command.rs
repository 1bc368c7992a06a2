//! `voxgate check`: what it says of the places where limits are kept.

use tempfile::TempDir;

use crate::gateway::{Gateway, Setup, run};
use crate::redis_server::{Cluster, Server};

/// What `voxgate check` says of `what` under these variables, once it has said whether all is well.
#[track_caller]
fn verdict(what: &str, variables: &[(&str, &str)], well: bool) -> String {
    let folder = TempDir::new().unwrap();
    let output = run(&["check"], variables, folder.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), well, "{said}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a check leaves nothing behind");
    let line = said.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_else(|| panic!("no {what}: {said}"));
    assert_eq!(line.contains("FAILS"), !well, "{said}");
    line.trim().to_owned()
}

fn of_redis(url: &str, well: bool) -> String {
    verdict("redis", &[("REDIS_URL", url)], well)
}

#[test]
fn a_redis_that_can_be_written_to_is_well() {
    let server = Server::start();
    for url in [server.url(), server.unix_url()] {
        assert!(of_redis(&url, true).contains("can be written to"));
    }
}

#[test]
fn a_redis_cluster_is_well_by_its_own_address_alone() {
    let cluster = Cluster::start();
    assert!(of_redis(&cluster.url(), true).contains("can be written to"));
    for node in cluster.masters() {
        // Some of its nodes would take this check's own key.
        let said = of_redis(&node.url(), false);
        assert!(said.contains("redis+cluster://"), "{said}");
    }
    let alone = Server::start();
    let said = of_redis(&format!("redis+cluster://127.0.0.1:{}", alone.port()), false);
    assert!(said.contains("cluster support disabled"), "{said}");
}

#[test]
fn a_redis_that_cannot_be_written_to_is_said() {
    let full = Server::start();
    full.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let said = of_redis(&full.url(), false);
    assert!(said.contains("OOM"), "{said}");
    let replica = Server::with(&["--replicaof", "127.0.0.1", "1"]);
    let said = of_redis(&replica.url(), false);
    assert!(said.contains("READONLY"), "{said}");
}

#[test]
fn a_redis_that_is_not_there_or_wants_a_password_is_said_without_ours() {
    let mut server = Server::with(&["--requirepass", "the-right-one"]);
    let said = of_redis(&server.url(), false);
    assert!(said.contains("NOAUTH"), "{said}");
    let url = server.url().replace("redis://", "redis://:the-wrong-one@");
    let refused = of_redis(&url, false);
    server.kill();
    let away = of_redis(&url, false);
    let cluster = of_redis(&url.replace("redis://", "redis+cluster://").replace("/0", ""), false);
    for said in [refused, away, cluster] {
        assert!(!said.contains("the-wrong-one"), "{said}");
    }
}

#[tokio::test]
async fn a_data_directory_is_looked_at_and_left_to_its_gateway() {
    let gateway = Gateway::start().await;
    let data_dir = gateway.setup().data().to_str().unwrap().to_owned();
    let of_directory = |well| verdict("data directory", &[("VOXGATE_DATA_DIR", &data_dir)], well);
    for _ in 0..2 {
        let said = of_directory(true);
        assert!(said.contains("in use by a running gateway") && said.contains(&data_dir), "{said}");
    }
    // It still has it.
    let other = gateway.command(&["serve"]);
    assert!(String::from_utf8(other.stderr).unwrap().contains("in use by another voxgate"));
    let mut gateway = gateway;
    gateway.terminate();
    assert!(gateway.ended().await.success());
    assert!(of_directory(true).ends_with("can be used"));
}

#[test]
fn a_data_directory_whose_file_is_not_the_gateways_is_said() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("voxgate.sqlite3"), "not a database, however long this may be made to be")
        .unwrap();
    let said = verdict("data directory", &[("VOXGATE_DATA_DIR", folder.path().to_str().unwrap())], false);
    assert!(said.contains("VOXGATE_DATA_DIR"), "{said}");
}

#[test]
fn a_data_directory_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let below = folder.path().join("some/where");
    let said = verdict("data directory", &[("VOXGATE_DATA_DIR", below.to_str().unwrap())], true);
    assert!(said.contains("can be made"), "{said}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    std::fs::write(folder.path().join("some"), "a file").unwrap();
    let said = verdict("data directory", &[("VOXGATE_DATA_DIR", below.to_str().unwrap())], false);
    assert!(said.contains("VOXGATE_DATA_DIR"), "{said}");
}

#[tokio::test]
async fn the_gateway_says_where_it_keeps_what_it_keeps_by_itself() {
    let end = |line: &str| line.contains("listens on").then_some(());
    let gateway = Gateway::start().await;
    let kept = gateway.setup().data().to_str().unwrap().to_owned();
    gateway.banner().find("the data directory", |line| line.contains(&kept).then_some(())).await;
    let server = Server::start();
    let gateway = Setup::new().env("REDIS_URL", &server.url()).start().await;
    gateway.banner().find("the address", end).await;
    assert!(!gateway.banner().text().contains(gateway.setup().data().to_str().unwrap()));
}
