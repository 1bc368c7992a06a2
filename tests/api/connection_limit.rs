//! Connections are bounded: the one that has been idle for longest makes room, and none with a request in progress does.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::provider::{Gate, Reply, answer};
use crate::support::scrape::Scrape;
use crate::support::wire::Wire;
use crate::support::{audio, token};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Asks on a connection that stays open, and reads the answer.
async fn ask(wire: &mut Wire) {
    wire.send(LIVE).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    wire.until("live\"}\n").await;
}

/// A connection that has asked once.
async fn asked(gateway: &Gateway) -> Wire {
    let mut wire = gateway.wire().await;
    ask(&mut wire).await;
    wire
}

async fn with_connections(most: usize) -> Gateway {
    let bounds =
        [("VOXGATE_SERVER__MAX_CONNECTIONS", most.to_string()), ("VOXGATE_SERVER__HEADER_TIMEOUT", "1m".to_owned())];
    Gateway::with(&bounds.each_ref().map(|(name, value)| (*name, value.as_str()))).await
}

/// Sends a request with a recording whose provider does not answer.
async fn in_progress(gateway: &Gateway, gate: &Gate) -> Wire {
    let (content_type, body) = answer("json");
    let requests = gateway.provider.requests();
    gateway.provider.answer(Reply::whole(200, content_type, body).held_by(gate));
    let (mut wire, audio) = (gateway.wire().await, audio::wav(300));
    let head = format!(
        "POST {TRANSCRIPTIONS}?model=gpt-transcribe HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: audio/wav\r\nContent-Length: {}\r\n\r\n",
        token::good(),
        audio.len()
    );
    wire.send([head.as_bytes(), &audio].concat()).await;
    gateway.provider.asked(requests + 1).await;
    wire
}

#[tokio::test]
async fn the_connection_that_has_been_idle_for_longest_makes_room_for_the_next() {
    let gateway = with_connections(3).await;
    let mut first = asked(&gateway).await;
    let mut second = asked(&gateway).await;
    let mut third = asked(&gateway).await;
    // From now on the second is the idlest.
    ask(&mut first).await;
    let mut fourth = asked(&gateway).await;
    assert_eq!(second.rest().await, "");
    for wire in [&mut first, &mut third, &mut fourth] {
        ask(wire).await;
    }
    let scrape =
        Scrape::when(&gateway, |scrape| scrape.count("voxgate_connections", &[("listener", "public")]) == 3).await;
    assert_eq!(scrape.count("voxgate_connections_limit", &[("listener", "public")]), 3);
    assert_eq!(scrape.count("voxgate_connections_closed_total", &[("reason", "idle")]), 1);
}

#[tokio::test]
async fn a_request_in_progress_is_never_what_makes_room() {
    let gateway = with_connections(3).await;
    let gate = Gate::closed();
    let mut busy = Vec::new();
    for _ in 0..2 {
        busy.push(in_progress(&gateway, &gate).await);
    }
    // There is room for one, which each of these takes from the one before.
    let mut before = asked(&gateway).await;
    for _ in 0..10 {
        let next = asked(&gateway).await;
        assert_eq!(before.rest().await, "");
        before = next;
    }
    busy.push(in_progress(&gateway, &gate).await);
    // Now each of them has a request in progress, and who comes is turned away.
    assert_eq!(gateway.wire().await.rest().await, "");
    for _ in &busy {
        gate.open();
    }
    for wire in &mut busy {
        assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    asked(&gateway).await;
}

#[tokio::test]
async fn a_head_that_only_dribbles_is_no_request_in_progress() {
    let gateway = with_connections(3).await;
    let mut dribbling = Vec::new();
    for _ in 0..3 {
        let mut wire = gateway.wire().await;
        wire.send("GET /health/live HTTP/1.1\r\nHost: lo").await;
        dribbling.push(wire);
        // Each is counted before the next comes.
        let open = u64::try_from(dribbling.len()).unwrap();
        Scrape::when(&gateway, |scrape| scrape.count("voxgate_connections", &[("listener", "public")]) == open).await;
    }
    let mut other = asked(&gateway).await;
    assert_eq!(dribbling.remove(0).rest().await, "");
    dribbling[0].send("c").await;
    let mut next = asked(&gateway).await;
    assert_eq!(dribbling.remove(0).rest().await, "", "another byte makes no difference");
    dribbling[0].send("calhost\r\n\r\n").await;
    assert!(dribbling[0].head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    ask(&mut other).await;
    ask(&mut next).await;
}

#[tokio::test]
async fn one_address_has_its_share_where_that_is_set() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__MAX_CONNECTIONS_PER_ADDRESS", "2")]).await;
    let (mut first, mut second) = (asked(&gateway).await, asked(&gateway).await);
    let mut third = asked(&gateway).await;
    assert_eq!(first.rest().await, "");
    ask(&mut second).await;
    ask(&mut third).await;
    assert_eq!(Scrape::of(&gateway).await.count("voxgate_connections", &[("listener", "public")]), 2);
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_probes_and_other_callers_as_they_were() {
    // None of them ends by itself meanwhile, however slow the machine is.
    let gateway = Setup::new().env("VOXGATE_SERVER__HEADER_TIMEOUT", "10m").open_files(1024).start().await;
    let mut idle = Vec::new();
    for at in 0..1000 {
        let mut wire = gateway.wire().await;
        // Some say nothing, some have begun to.
        if at % 2 == 0 {
            wire.try_send(b"GET /v1/mod").await;
        }
        idle.push(wire);
    }
    for _ in 0..20 {
        for path in ["/health/live", "/health/ready", "/metrics"] {
            assert_eq!(gateway.send(gateway.operational(path)).await.status, 200, "{path}");
        }
        assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
        assert_eq!(gateway.transcribe(Form::new().file(&audio::wav_of_bytes(100_000))).await.status, 200);
    }
    let scrape = Scrape::of(&gateway).await;
    let labels = [("listener", "public")];
    let (open, limit) =
        (scrape.count("voxgate_connections", &labels), scrape.count("voxgate_connections_limit", &labels));
    assert!(open <= limit && (240..1000).contains(&limit), "{open} of {limit}");
    assert!(gateway.open_files().len() < 1024 - 240, "{} files are open", gateway.open_files().len());
    // The oldest had to make room, and the newest are still there.
    assert_eq!(timeout(Duration::from_secs(20), idle.remove(0).rest()).await.unwrap(), "");
    let newest = idle.last_mut().unwrap();
    ask(newest).await;
}

#[tokio::test]
async fn probes_are_answered_whatever_comes_to_their_listener() {
    let gateway = Gateway::start().await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(tokio::net::TcpStream::connect(gateway.ops_address).await.unwrap());
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(gateway.send(gateway.operational(path)).await.status, 200, "{path}");
    }
    let scrape = Scrape::of(&gateway).await;
    let labels = [("listener", "ops")];
    assert!(scrape.count("voxgate_connections", &labels) <= scrape.count("voxgate_connections_limit", &labels));
}
