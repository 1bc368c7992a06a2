//! Requests that two servers would read differently are read by neither: they are refused, and their connection ends.

use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::{audio, token};

/// What a smuggler would like to have answered.
const HIDDEN: &str = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A request with these lines in its head, a body, and another request that is hidden behind it.
fn request(lines: &str, body: &str) -> String {
    format!(
        "POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: audio/wav\r\n{lines}\r\n{body}{HIDDEN}",
        token::good()
    )
}

/// How often a connection was answered, and with what first.
async fn answers(gateway: &Gateway, bytes: &str) -> (usize, String) {
    let mut wire = gateway.wire().await;
    wire.try_send(bytes.as_bytes()).await;
    let said = wire.rest().await;
    (said.matches("HTTP/1.1 ").count(), said.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_ambiguous_body_length_ends_the_connection() {
    let gateway =
        Gateway::with(&[("VOXGATE_SERVER__HEADER_TIMEOUT", "300ms"), ("VOXGATE_SERVER__KEEP_ALIVE", "300ms")]).await;
    for (lines, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
        ("Content-Length: 5, 5\r\n", "hello"),
        ("Content-Length: +5\r\n", "hello"),
        ("Content-Length: -5\r\n", "hello"),
        ("Content-Length: 0x5\r\n", "hello"),
        ("Content-Length: 5 5\r\n", "hello"),
        ("Content-Length: 99999999999999999999\r\n", "hello"),
        ("Content-Length : 5\r\n", "hello"),
        ("Content-Length:\r\n 5\r\n", "hello"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
        ("X-Split: a\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("X-Null: a\0b\r\nContent-Length: 5\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
        ("Transfer-Encoding: chunked\r\n", "-1\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhelloworld\r\n0\r\n\r\n"),
        // Lines that end in a bare LF, where a proxy may look for CRLF.
        ("Transfer-Encoding: chunked\nContent-Length: 5\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\n\n"),
        ("Transfer-Encoding: chunked\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", " 5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n"),
        // A line that goes on in the next.
        ("X-Folded: a\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked,\r\n identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\nContent-Length: 5\r\n", "hello"),
    ] {
        let (count, first) = answers(&gateway, &request(lines, body)).await;
        assert!(count <= 1 && !first.contains(" 200 "), "{lines:?} {body:?}: {count} answers, first {first:?}");
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn an_unclear_body_length_is_refused() {
    let gateway =
        Gateway::with(&[("VOXGATE_SERVER__HEADER_TIMEOUT", "300ms"), ("VOXGATE_SERVER__KEEP_ALIVE", "300ms")]).await;
    let head = |line: &str, lines: &str| {
        format!("{line}\r\nAuthorization: Bearer {}\r\nContent-Type: audio/wav\r\n{lines}\r\n", token::good())
    };
    for (line, lines, body) in [
        // HTTP/1.0 knows no chunks (RFC 9112 §6.1).
        ("POST /v1/audio/transcriptions HTTP/1.0", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        (
            "POST /v1/audio/transcriptions HTTP/1.0",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n",
        ),
        // What comes after it would be no request.
        ("CONNECT localhost:443 HTTP/1.1", "Host: localhost\r\n", ""),
        ("CONNECT /v1/models HTTP/1.1", "Host: localhost\r\n", ""),
        // Whom it is for, in two ways or in none (RFC 9112 §3.2).
        ("GET /v1/models HTTP/1.1", "", ""),
        ("GET /v1/models HTTP/1.1", "Host: a.example\r\nHost: b.example\r\n", ""),
    ] {
        let (count, first) = answers(&gateway, &(head(line, lines) + body + HIDDEN)).await;
        assert!(count <= 1 && !first.contains(" 200 "), "{line:?} {lines:?}: {count} answers, first {first:?}");
    }
    // An upgrade that nobody knows is none: what comes next is a request as before, or nothing.
    for upgrade in ["h2c", "websocket"] {
        let lines = format!("Host: localhost\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n");
        let mut wire = gateway.wire().await;
        wire.try_send((head("GET /v1/models HTTP/1.1", &lines) + HIDDEN).as_bytes()).await;
        let said = wire.rest().await;
        assert!(!said.contains("HTTP/1.1 101 ") && said.matches(" 200 OK").count() == 1, "{said}");
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn what_comes_after_a_body_that_is_clear_is_a_request_of_its_own() {
    let gateway = Gateway::with(&[("VOXGATE_SERVER__KEEP_ALIVE", "1s")]).await;
    let audio = audio::wav(20);
    let mut wire = gateway.wire().await;
    let (head, hidden) = (request(&format!("Content-Length: {}\r\n", audio.len()), ""), HIDDEN.as_bytes());
    wire.send([head.strip_suffix(HIDDEN).unwrap().as_bytes(), &audio, hidden].concat()).await;
    let said = wire.rest().await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
    assert!(said.contains("HTTP/1.1 401 "), "the second has no token of its own: {said}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let gateway = Gateway::start().await;
    let lines = |count: usize, size: usize| format!("X-Line: {}\r\n", "x".repeat(size)).repeat(count);
    for (case, head) in [
        ("one line", format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\n{}\r\n", lines(1, 200_000))),
        ("many lines", format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\n{}\r\n", lines(200, 10))),
        ("a path", format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000))),
        ("no end", "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Line: ".to_owned() + &"x".repeat(2_000_000)),
    ] {
        let (count, first) = answers(&gateway, &head).await;
        assert!(count <= 1 && !first.contains(" 200 "), "{case}: {first}");
    }
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let gateway = Gateway::start().await;
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /health/live HTTP/0.9\r\n\r\n",
        "GET /health/live HTTP/3.0\r\nHost: localhost\r\n\r\n",
        "GET  /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health/live\r\n\r\n",
        "G\0T /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n Host: localhost\r\n\r\n",
    ] {
        let (count, first) = answers(&gateway, bytes).await;
        assert!(count <= 1 && !first.contains(" 200 "), "{bytes:?}: {first}");
    }
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
}
