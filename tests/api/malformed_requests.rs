//! What is no request still gets one clear error: JSON in OpenAI's shape with a request id, one line in the log, and the end
//! of its connection.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::wire::request_head;
use crate::support::{audio, token};

/// What a smuggler would like to have answered.
const HIDDEN: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// That `bytes` get this error and nothing else, with a request id, which is returned.
async fn is_refused(gateway: &Gateway, bytes: &[u8], status: u16, code: &str) -> String {
    let case = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let mut wire = gateway.wire().await;
    wire.try_send(bytes).await;
    let answer = wire.rest().await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{case:?}: {answer:?}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{case:?}: {answer:?}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has no head");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    assert_eq!(header("content-type").as_deref(), Some("application/json"), "{case:?}: {head}");
    assert_eq!(header("content-length"), Some(body.len().to_string()), "{case:?}: {answer}");
    assert_eq!(header("connection").as_deref(), Some("close"), "{case:?}: {head}");
    let error: Value = serde_json::from_str(body).unwrap();
    let error = &error["error"];
    assert_eq!(
        (error["code"].as_str(), error["type"].as_str()),
        (Some(code), Some("invalid_request_error")),
        "{case:?}"
    );
    assert!(error["message"].as_str().is_some_and(|message| message.ends_with('.')), "{error}");
    header("x-request-id").expect("it has no request id")
}

/// The lines of a request's head, each of which a case puts another in the place of.
fn with(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{fields}\r\n{HIDDEN}", token::good()).into_bytes()
}

#[tokio::test]
async fn an_ambiguous_head_is_refused_and_logged_once() {
    let gateway = Gateway::start().await;
    let get = "GET /v1/models HTTP/1.1";
    let mut ids = Vec::new();
    for (line, fields) in [
        (get, "X-A: b\nX-C: d\r\n"),
        (get, "X-A: b\r\n\n"),
        (get, "X-A: b\rX-C: d\r\n"),
        (get, "X-A: b\0\r\n"),
        (get, "X-A : b\r\n"),
        (get, "X-A: b\r\n folded\r\n"),
        (get, "X-A: b\r\n\tfolded\r\n"),
        (get, "X-A\r\n"),
        (get, ": b\r\n"),
        (get, "Host: localhost\r\n"),
        (get, "Host: other.example\r\n"),
        (get, "Content-Length: 1\r\nContent-Length: 1\r\n"),
        (get, "Content-Length: 1, 1\r\n"),
        (get, "Content-Length: +1\r\n"),
        (get, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        (get, "Transfer-Encoding: gzip, chunked\r\n"),
        (get, "Transfer-Encoding: identity\r\n"),
        ("GET http://other.example/v1/models HTTP/1.1", ""),
        ("GET ftp://localhost/v1/models HTTP/1.1", ""),
        ("GET v1/models HTTP/1.1", ""),
        ("GET /v1/models HTTP/2.0", ""),
        ("GET /v1/models", ""),
        ("GET  /v1/models HTTP/1.1", ""),
        ("G\0T /v1/models HTTP/1.1", ""),
        ("{\"model\": \"gpt-transcribe\"}", ""),
        ("CONNECT localhost:443 HTTP/1.1", ""),
        // HTTP/1.0 knows no chunks (RFC 9112 §6.1), and a body without a length has no end.
        ("POST /v1/audio/transcriptions HTTP/1.0", "Transfer-Encoding: chunked\r\n"),
        ("POST /v1/audio/transcriptions HTTP/1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n"),
        ("POST /v1/audio/transcriptions HTTP/1.0", ""),
    ] {
        ids.push(is_refused(&gateway, &with(line, fields), 400, "malformed_request").await);
    }
    gateway.log.recorded(ids.len()).await;
    let logged = gateway.log.requests();
    for id in &ids {
        let own: Vec<_> = logged.iter().filter(|event| event["request_id"] == id.as_str()).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!((&own[0]["status"], &own[0]["error"]), (&400.into(), &"malformed_request".into()));
    }
    assert_eq!(logged.len(), ids.len(), "{logged:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_with_its_reason() {
    let gateway = Gateway::start().await;
    let long = |bytes: usize| format!("GET /{} HTTP/1.1", "x".repeat(bytes));
    for (line, fields, status) in [
        ("GET / HTTP/1.1", format!("X-Line: {}\r\n", "x".repeat(200_000)), 431),
        ("GET / HTTP/1.1", "X-Line: x\r\n".repeat(100), 431),
        (&long(70_000), String::new(), 414),
        (&long(200_000), String::new(), 431),
    ] {
        is_refused(&gateway, &with(line, &fields), status, "head_too_large").await;
    }
    gateway.log.recorded(4).await;
}

#[tokio::test]
async fn a_slow_head_gets_408_and_an_empty_connection_is_closed() {
    // What is sent in time has to be so on a busy machine too.
    let limits = [("VOXGATE_SERVER__HEADER_TIMEOUT", "1500ms"), ("VOXGATE_SERVER__KEEP_ALIVE", "1500ms")];
    let gateway = Gateway::with(&limits).await;
    is_refused(&gateway, b"GET /health/live HTTP/1.1\r\nHost: loc", 408, "request_timeout").await;
    assert_eq!(gateway.wire().await.rest().await, "");
    let mut wire = gateway.wire().await;
    wire.send(HIDDEN).await;
    wire.until("live\"}\n").await;
    wire.send("G").await;
    assert!(wire.rest().await.starts_with("HTTP/1.1 408 "));
    let mut wire = gateway.wire().await;
    wire.send(HIDDEN).await;
    wire.until("live\"}\n").await;
    assert_eq!(wire.rest().await, "");
    gateway.log.recorded(4).await;
    assert_eq!(gateway.log.requests().len(), 4);
}

#[tokio::test]
async fn the_answers_to_requests_before_it_come_first_and_whole() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.wire().await;
    let asset = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    wire.send(format!("{asset}{asset}GET /health/live HTTP/1.1\nHost: localhost\r\n\r\n")).await;
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let head = wire.head().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        assert_eq!(wire.bytes(length).await.len(), length);
        lengths.push(length);
    }
    assert!(lengths[0] > 100_000);
    assert!(wire.rest().await.starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

#[tokio::test]
async fn a_blank_line_before_a_request_and_an_absolute_target_do_no_harm() {
    let gateway = Gateway::start().await;
    let address = gateway.address;
    let mut wire = gateway.wire().await;
    for head in [
        format!("\r\nGET /health/live HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET http://{address}/health/live HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        "GET /health/live HTTP/1.1\r\nHost:\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n".to_owned(),
        "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
    ] {
        for piece in head.as_bytes().chunks(7) {
            wire.send(piece).await;
        }
        assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"), "{head:?}");
        wire.until("live\"}\n").await;
    }
}

#[tokio::test]
async fn a_header_that_has_one_value_and_comes_twice_is_refused() {
    let gateway = Gateway::start().await;
    let good = token::good();
    for more in [
        format!("Authorization: Bearer {good}\r\n"),
        format!("authorization: Bearer {}\r\n", token::altered()),
        "Content-Type: application/json\r\n".to_owned(),
    ] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut wire = gateway.wire().await;
            wire.send(request_head(&good, "audio/wav", 300, &format!("{more}{expect}"))).await;
            let answer = wire.head().await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{more}: {answer}");
            assert!(answer.contains("x-request-id: "), "{more}: {answer}");
            assert!(wire.until("}}").await.contains("\"code\":\"malformed_request\""));
        }
    }
    for path in ["/v1/models", "/v1/usage", "/v1/sessions"] {
        let twice = gateway.get(path).header("authorization", format!("Bearer {good}"));
        gateway.send(twice).await.is_error(400, "malformed_request", None);
    }
}

#[tokio::test]
async fn every_route_refuses_a_content_encoding_before_the_body() {
    let gateway = Gateway::start().await;
    let token = token::with(&serde_json::json!({ "scope": "transcribe translate sessions usage" }));
    let posts =
        voxgate::http::public_routes().filter(|route| matches!(route.method.as_str(), "POST" | "PUT" | "PATCH"));
    let mut routes = 0;
    for route in posts {
        let (method, path) = (&route.method, route.path);
        routes += 1;
        for (coding, named) in
            [("gzip", "gzip"), ("br", "br"), ("GZIP", "GZIP"), ("identity, zstd", "zstd"), ("x-unknown", "x-unknown")]
        {
            for expect in ["", "Expect: 100-continue\r\n"] {
                let mut wire = gateway.wire().await;
                // Not a byte of the body follows.
                wire.send(format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
                     Content-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: 1000\r\n{expect}\r\n"
                ))
                .await;
                let mut answer = wire.head().await;
                if (path == "/v1/sessions" || path.starts_with("/v1/live")) && answer.starts_with("HTTP/1.1 100 ") {
                    answer = wire.head().await;
                }
                assert!(answer.starts_with("HTTP/1.1 415 "), "{path} {coding}: {answer}");
                assert!(answer.contains("accept-encoding: identity\r\n"), "{answer}");
                let body = wire.until("}}").await;
                assert!(
                    body.contains("unsupported_content_encoding") && body.contains(&format!("'{named}'")),
                    "{body}"
                );
            }
        }
    }
    assert!(routes >= 3);
    for coding in ["identity", "Identity", ""] {
        let request =
            gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").header("content-encoding", coding);
        assert_eq!(gateway.send(request.body(audio::wav(300))).await.status, 200, "{coding:?}");
    }
}

#[tokio::test]
async fn a_refused_request_whose_body_is_all_there_ends_its_connection_at_once() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(3000);
    let chunked = [format!("{:x}\r\n", audio.len()).as_bytes(), &audio, b"\r\n0\r\n\r\n"].concat();
    let whole = |more: &str| request_head(&token::altered(), "audio/wav", audio.len(), more);
    let in_chunks = whole("").replace(&format!("Content-Length: {}", audio.len()), "Transfer-Encoding: chunked");
    for (head, body) in [
        (whole(""), &audio),
        (whole("Expect: 100-continue\r\n"), &audio),
        (in_chunks, &chunked),
        (whole("Connection: close\r\n"), &audio),
    ] {
        let mut wire = gateway.wire().await;
        wire.send([head.as_bytes(), body].concat()).await;
        let answer = wire.head().await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
        // It would wait for five seconds for the rest of a body.
        let rest = timeout(Duration::from_secs(4), wire.rest()).await.expect("it waits for a body that is there");
        assert!(rest.contains("invalid_token"), "{rest}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_in_chunks_is_told_so_once() {
    let gateway = Gateway::start().await;
    for bytes in ["5\r\nhelloworld\r\n0\r\n\r\n", "x\r\n", "5\nhello\r\n0\r\n\r\n", "0\r\nX-A\0: b\r\n\r\n"] {
        let mut wire = gateway.wire().await;
        let head =
            request_head(&token::good(), "audio/wav", 0, "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
        wire.try_send(format!("{head}{bytes}{HIDDEN}").as_bytes()).await;
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bytes:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bytes:?}: {answer}");
        assert!(
            answer.contains("x-request-id: ") && answer.contains("\"code\":\"incomplete_body\""),
            "{bytes:?}: {answer}"
        );
    }
    gateway.log.recorded(4).await;
    assert_eq!(gateway.log.requests().len(), 4);
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_recording_in_chunks_of_any_size_is_taken_byte_for_byte() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(1000);
    for size in [1, 7, 100, 5000, audio.len()] {
        let mut wire = gateway.wire().await;
        let head =
            request_head(&token::good(), "audio/wav", 0, "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
        let chunks = audio.chunks(size).flat_map(|chunk| {
            [format!("{:X};ext=\"a b\"\r\n", chunk.len()).into_bytes(), chunk.to_vec(), b"\r\n".to_vec()].concat()
        });
        let body: Vec<u8> = chunks.chain(*b"0\r\nX-Trailer: gone\r\n\r\n").collect();
        wire.send([head.as_bytes(), &body, HIDDEN.as_bytes()].concat()).await;
        assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"), "{size}");
        // The connection goes on behind it.
        wire.until("HTTP/1.1 200 OK\r\n").await;
        wire.until("live\"}\n").await;
        assert_eq!(gateway.provider.last().file().body, audio, "{size}");
    }
}
