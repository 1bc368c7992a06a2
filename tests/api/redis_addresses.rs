//! Every way in which Redis can be addressed.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::account::Account;
use crate::support::gateway::{Gateway, Setup};
use crate::support::redis_server::{Cluster, Server};

/// That a gateway keeps its limits at this address.
async fn keeps_limits(setup: Setup) -> Gateway {
    let gateway = setup.config("[plans.default]\nrequests_per_minute = 1\nburst = 1").start().await;
    let alice = Account::of("alice", "default");
    assert_eq!(alice.transcribe(&gateway, 300).await.status, 200);
    alice.transcribe(&gateway, 300).await.is_error(429, "rate_limit_exceeded", None);
    assert_eq!(alice.settled(&gateway).await["total"]["requests"], 1);
    assert_eq!(gateway.send(gateway.operational("/health/ready")).await.json()["store"], "ready");
    assert!(!gateway.log.text().contains("Redis is away"), "{}", gateway.log.text());
    gateway
}

#[tokio::test]
async fn a_unix_socket_a_database_and_a_user_with_a_password_are_addresses() {
    let server = Server::start();
    server.run(&["ACL", "SETUSER", "gate", "on", ">s3cret-of-redis", "~voxgate:*", "+@all"]);
    let port = server.port();
    let gateway = keeps_limits(Setup::new().env("REDIS_URL", &server.unix_url())).await;
    drop(gateway);
    let url = format!("redis://gate:s3cret-of-redis@127.0.0.1:{port}/3");
    let gateway = keeps_limits(Setup::new().env("REDIS_URL", &url)).await;
    for place in [gateway.log.text(), gateway.banner().text()] {
        assert!(!place.contains("s3cret"), "{place}");
    }
}

#[tokio::test]
async fn a_cluster_is_found_from_any_of_its_nodes() {
    let cluster = Cluster::start();
    let url = cluster.url();
    keeps_limits(Setup::new().env("REDIS_URL", &url)).await;
    let first = url.split(',').next().unwrap().to_owned();
    let gateway = Setup::new().env("REDIS_URL", &first).start().await;
    for at in 0..12 {
        let account = Account::of(&format!("caller-{at}"), "default");
        assert_eq!(account.transcribe(&gateway, 300).await.status, 200);
        assert_eq!(account.settled(&gateway).await["total"]["requests"], 1);
    }
}

#[tokio::test]
async fn redis_behind_tls_is_trusted_by_the_systems_certificates_alone() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ours = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("certificate.pem"), ours.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), ours.signing_key.serialize_pem()).unwrap();
    let tls_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let server = Server::with(&[
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://127.0.0.1:{tls_port}/0");
    keeps_limits(Setup::new().env("REDIS_URL", &url).env("SSL_CERT_FILE", &certificate)).await;
    let wary = Setup::new().env("REDIS_URL", &url).start().await;
    wary.log.event("Redis is away").await;
    drop(server);
}
