//! Clients that speak HTTP/1.0 get no chunks, which they would take for content (RFC 9112 §6.1).

use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::{audio, token};

fn request(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{line} HTTP/1.0\r\nAuthorization: Bearer {}\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n{fields}\r\n",
        token::good(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn every_answer_has_its_length_or_ends_with_its_connection() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let query = |query: &str| format!("POST {TRANSCRIPTIONS}?model=gpt-transcribe{query}");
    for (line, body, status) in [
        (query(""), audio.as_slice(), 200),
        (query("&stream=true"), &audio, 200),
        (query("&response_format=text"), &audio, 200),
        (query("&model=no-such-model"), &audio, 400),
        (query(""), b"no audio", 400),
        ("GET /v1/models".to_owned(), b"", 200),
        ("GET /docs".to_owned(), b"", 200),
        ("GET /health/live".to_owned(), b"", 200),
        ("GET /nowhere".to_owned(), b"", 404),
        ("PUT /v1/models".to_owned(), b"x", 405),
    ] {
        for fields in ["", "Connection: keep-alive\r\n", "Connection: close\r\n", "TE: trailers, chunked\r\n"] {
            let mut wire = gateway.wire().await;
            wire.send(request(&line, fields, body)).await;
            let head = wire.head().await.to_ascii_lowercase();
            assert!(head.starts_with(&format!("http/1.0 {status} ")), "{line} {fields}: {head}");
            assert!(!head.contains("transfer-encoding"), "{line} {fields}: {head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if let Some(length) = length.map(|length| length.parse::<usize>().unwrap()) {
                assert_eq!(wire.bytes(length).await.len(), length);
            } else {
                assert!(!head.contains("connection: keep-alive"), "{line} {fields}: {head}");
                let body = wire.rest().await;
                assert!(body.starts_with("data: {") && body.ends_with("data: [DONE]\n\n"), "{line}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn events_go_out_as_they_come() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    let all = Framing::PLAIN.all(&events());
    let (first, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
    gateway.provider.answer(Reply::stream().send(first).wait(&gate).send(rest));
    let mut wire = gateway.wire().await;
    wire.send(request(&format!("POST {TRANSCRIPTIONS}?model=gpt-transcribe&stream=true"), "", &audio::wav(300))).await;
    wire.head().await;
    assert_eq!(wire.until("\n\n").await, first);
    gate.open();
    assert_eq!(wire.rest().await, format!("{rest}data: [DONE]\n\n"));
}
