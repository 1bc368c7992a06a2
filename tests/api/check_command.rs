//! `voxgate check`: what it says of the places where limits are kept.

use std::io::{Read, Write};
use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::gateway::{Gateway, Setup, run};
use crate::support::provider::{KEY, Provider};
use crate::support::redis_server::{Cluster, Server};
use crate::support::token::SECRET;

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

/// An address of this machine where no server listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn why_a_provider_cannot_be_reached_is_said() {
    let closed = closed_port();
    // What answers there speaks no TLS.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = format!("https://{}/v1", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = plain.accept().unwrap();
        let mut hello = [0; 1];
        connection.read_exact(&mut hello).unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        // The connection stays until the other side has read that and goes.
        let _ = connection.read_to_end(&mut Vec::new());
    });
    // A label of DNS has 63 letters at most, so that nobody has to be asked.
    let nameless = format!("http://{}.invalid/v1", "a".repeat(64));
    let refused = format!("http://127.0.0.1:{closed}/v1");
    let proxy = format!("http://someone:hunter2@127.0.0.1:{closed}");
    let causes: [(&[(&str, &str)], &str); 5] = [
        (&[("OPENAI_BASE_URL", &refused)], "refused"),
        (&[("OPENAI_BASE_URL", &tls)], "TLS"),
        (&[("OPENAI_BASE_URL", &nameless)], "DNS"),
        (&[("OPENAI_BASE_URL", "https://api.example.com/v1"), ("HTTPS_PROXY", &proxy)], "proxy of HTTPS_PROXY"),
        (&[("OPENAI_BASE_URL", &refused), ("HTTP_PROXY", &proxy)], "HTTP_PROXY is set"),
    ];
    for (variables, why) in causes {
        let variables = [variables, &[("OPENAI_API_KEY", KEY), ("VOXGATE_JWT_SECRET", SECRET)]].concat();
        let said = verdict("provider openai", &variables, false);
        assert!(said.contains(why) && !said.contains("hunter2") && !said.contains(KEY), "{why}: {said}");
    }
}

#[test]
fn what_the_settings_come_to_is_said() {
    let provider = Provider::start();
    let base_url = provider.base_url();
    let variables = [
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_BASE_URL", base_url.as_str()),
        ("VOXGATE_JWT_SECRET", SECRET),
        ("VOXGATE_PLANS__GOLD__REQUESTS_PER_MINUTE", "5"),
        ("VOXGATE_DEFAULT_MODEL", "whisper-1"),
    ];
    let is_told = |what: &str, words: &[&str]| {
        let said = verdict(what, &variables, true);
        for word in words {
            assert!(said.contains(word), "{word} is not in {what}: {said}");
        }
        assert!(!said.contains(KEY) && !said.contains(SECRET), "{said}");
    };
    is_told("listeners", &["127.0.0.1:8080", "127.0.0.1:9464"]);
    is_told("providers", &["1: openai"]);
    is_told("models", &["gpt-transcribe", "whisper-1 (default)"]);
    is_told("plans", &["2: default, gold"]);
    is_told("tokens", &["secret", "HS256"]);
    is_told("store", &["voxgate.sqlite3"]);
    // Without a key and a secret both are said to be missing, and nothing is wrong.
    assert!(verdict("provider openai", &[], true).contains("OPENAI_API_KEY"));
    assert!(verdict("tokens", &[], true).contains("VOXGATE_JWT_SECRET"));
    assert!(verdict("store", &[], true).contains("sandbox.sqlite3"));
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
    let provider = Provider::start();
    let base_url = provider.base_url();
    let key = [("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", base_url.as_str())];
    for (file, key) in [("voxgate.sqlite3", &key[..]), ("sandbox.sqlite3", &[])] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(file), "not a database, however long this may be made to be").unwrap();
        let variables = [&[("VOXGATE_DATA_DIR", folder.path().to_str().unwrap())], key].concat();
        let said = verdict("data directory", &variables, false);
        assert!(said.contains("VOXGATE_DATA_DIR") && said.contains(file), "{said}");
    }
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
