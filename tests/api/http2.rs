//! HTTP/2: requests that share a connection share nothing else, and a client cannot hold what costs something with it.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::authority::Authority;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};
use crate::support::http2::{start_with_tls, tls_handshake};
use crate::support::poll::TIMEOUT;
use crate::support::provider::{Framing, Gate, Reply, events, more_than_sockets_hold};
use crate::support::{audio, token};

/// A connection that speaks HTTP/2, and how it ended.
struct Client {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

async fn connect(gateway: &Gateway, authority: &Authority, room: u32) -> Client {
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    speak(tls_handshake(socket, authority, b"h2").await, room).await
}

async fn speak(stream: TlsStream<TcpStream>, room: u32) -> Client {
    let (requests, connection) = h2::client::Builder::new().initial_window_size(room).handshake(stream).await.unwrap();
    Client { requests, ended: tokio::spawn(connection) }
}

impl Client {
    /// Sends the head of a request with a recording, and hands out its body.
    async fn begin(&mut self, query: &str, length: usize) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let request = http::Request::post(format!("https://localhost{TRANSCRIPTIONS}?model=gpt-transcribe{query}"))
            .header("authorization", format!("Bearer {}", token::good()))
            .header("content-type", "audio/wav")
            .header("content-length", length)
            .body(())
            .unwrap();
        poll_fn(|cx| self.requests.poll_ready(cx)).await.unwrap();
        self.requests.send_request(request, false).unwrap()
    }

    /// Sends a request with a recording, and waits for the head of its answer.
    async fn transcribe(&mut self, query: &str) -> (u16, RecvStream) {
        let audio = audio::wav(300);
        let (answer, mut body) = self.begin(query, audio.len()).await;
        body.send_data(audio.into(), true).unwrap();
        let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
        (answer.status().as_u16(), answer.into_body())
    }
}

/// Everything that comes, each piece making room for the next.
async fn rest(mut body: RecvStream) -> Result<String, h2::Error> {
    let mut all = Vec::new();
    while let Some(chunk) = timeout(TIMEOUT, body.data()).await.expect("the stream is silent") {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len()).unwrap();
        all.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn a_stalled_http2_stream_is_reset_and_its_provider_released() {
    let (authority, gateway) = start_with_tls(&[("VOXGATE_SERVER__WRITE_TIMEOUT", "300ms")]).await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0]).repeat(1000)).wait(&never));
    let mut client = connect(&gateway, &authority, 1000).await;
    let (status, stuck) = client.transcribe("&stream=true").await;
    assert_eq!(status, 200);
    gateway.provider.hung_up(1).await;
    let error = rest(stuck).await.expect_err("the stream was let stand");
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    // The connection is as good as before.
    let (status, body) = client.transcribe("").await;
    assert_eq!(status, 200);
    rest(body).await.unwrap();
    gateway.log.recorded(2).await;
    assert_eq!(gateway.log.requests()[0]["outcome"], "client_gone");
}

#[tokio::test]
async fn a_reset_http2_stream_cancels_only_its_own_request() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let (never, later) = (Gate::closed(), Gate::closed());
    let mut client = connect(&gateway, &authority, 100_000).await;
    let all = Framing::PLAIN.all(&events());
    // In the middle of a stream, before the answer has begun, and before the recording is there.
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let (_, streamed) = client.transcribe("&stream=true").await;
    gateway.provider.answer(Reply::whole(200, "application/json", "{}").held_by(&never));
    let audio = audio::wav(300);
    let (waiting, mut body) = client.begin("", audio.len()).await;
    body.send_data(audio.into(), true).unwrap();
    gateway.provider.asked(2).await;
    gateway.provider.answer(Reply::stream().wait(&later).send(all.clone()));
    let (status, kept) = client.transcribe("&stream=true").await;
    assert_eq!(status, 200);
    let (unsent, mut upload) = client.begin("", 1_000_000).await;
    upload.send_data(audio::wav(300).into(), false).unwrap();
    drop(streamed);
    drop((waiting, body));
    gateway.provider.hung_up(2).await;
    upload.send_reset(Reason::CANCEL);
    drop(unsent);
    gateway.log.recorded(3).await;
    later.open();
    let kept = rest(kept).await.unwrap();
    assert!(kept.ends_with(&(all + "data: [DONE]\n\n")), "{kept}");
}

#[tokio::test]
async fn a_refusal_comes_before_the_body_has() {
    let (authority, gateway) = start_with_tls(&[("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400")]).await;
    let mut client = connect(&gateway, &authority, 100_000).await;
    // Not a byte of it is sent.
    let (answer, _body) = client.begin("", 26_214_401).await;
    let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
    assert_eq!(answer.status(), 413);
    assert!(rest(answer.into_body()).await.unwrap().contains("\"code\":\"file_too_large\""));
}

#[tokio::test]
async fn a_body_that_does_not_move_is_not_waited_for() {
    let (authority, gateway) = start_with_tls(&[("VOXGATE_INTAKE__IDLE_TIMEOUT", "300ms")]).await;
    let mut client = connect(&gateway, &authority, 100_000).await;
    let (answer, mut body) = client.begin("", 1_000_000).await;
    body.send_data(audio::wav(300).into(), false).unwrap();
    let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
    assert_eq!(answer.status(), 408);
}

#[tokio::test]
async fn a_head_that_is_too_large_and_one_request_too_many_are_refused() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let mut client = connect(&gateway, &authority, 100_000).await;
    let (status, _body) = client.transcribe("").await;
    assert_eq!(status, 200);
    assert_eq!(client.requests.current_max_send_streams(), 128);
    let large = http::Request::get("https://localhost/health/live").header("x-large", "x".repeat(70_000)).body(());
    let (answer, _) = client.requests.send_request(large.unwrap(), true).unwrap();
    match timeout(TIMEOUT, answer).await.expect("no answer") {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => panic!("{error}"),
    }
    let (status, _body) = client.transcribe("").await;
    assert_eq!(status, 200, "the connection goes on");
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_ended() {
    // What is sent in time has to be so on a busy machine too.
    let limits = [("VOXGATE_SERVER__HEADER_TIMEOUT", "1500ms"), ("VOXGATE_SERVER__KEEP_ALIVE", "1500ms")];
    let (authority, gateway) = start_with_tls(&limits).await;
    for asks in [false, true] {
        let mut client = connect(&gateway, &authority, 100_000).await;
        if asks {
            let (_, body) = client.transcribe("").await;
            rest(body).await.unwrap();
        }
        // Whether the client was just about to say something is its own affair.
        let _ = timeout(TIMEOUT, client.ended).await.expect("it is kept").unwrap();
    }
}

#[tokio::test]
async fn a_stopping_gateway_finishes_what_was_asked_and_takes_no_more() {
    let (authority, mut gateway) = start_with_tls(&[]).await;
    let gate = Gate::closed();
    let all = Framing::PLAIN.all(&events());
    let mut client = connect(&gateway, &authority, 100_000).await;
    let mut idle = connect(&gateway, &authority, 100_000).await;
    assert_eq!(idle.transcribe("").await.0, 200);
    gateway.provider.answer(Reply::stream().wait(&gate).send(all.clone()));
    let (status, body) = client.transcribe("&stream=true").await;
    assert_eq!(status, 200);
    gateway.terminate();
    let _ = timeout(TIMEOUT, idle.ended).await.expect("an idle connection holds up the end").unwrap();
    gate.open();
    let body = rest(body).await.unwrap();
    assert!(body.ends_with(&(all + "data: [DONE]\n\n")), "{body}");
    let _ = timeout(TIMEOUT, client.ended).await.expect("the connection is kept").unwrap();
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn many_requests_at_once_on_one_connection_are_each_answered() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let client = gateway.setup().client().build().unwrap();
    drop(authority);
    let ask = |at: usize| {
        let request = client.post(gateway.url(TRANSCRIPTIONS)).bearer_auth(token::good());
        let request = Form::new().file(&audio::wav(300 + at)).on(request);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
        }
    };
    futures_util::future::join_all((0..100).map(ask)).await;
    assert_eq!(gateway.provider.requests(), 100);
}

#[tokio::test]
async fn a_client_that_is_refused_in_the_middle_of_its_body_still_reads_why() {
    let (authority, gateway) = start_with_tls(&[("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400")]).await;
    let audio = audio::wav_of_bytes(40_000_000);
    for _ in 0..5 {
        let request = gateway.post(TRANSCRIPTIONS).header("content-type", "audio/wav").body(audio.clone());
        gateway.send(request).await.is_error(413, "file_too_large", Some("file"));
        let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth("not.a.token");
        gateway.send(Form::new().file(&audio).on(request)).await.is_error(401, "invalid_token", None);
    }
    let file = authority.root_file().with_file_name("large.wav");
    std::fs::write(&file, &audio).unwrap();
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--http2", "-w", "%{http_version} %{http_code}", "--cacert"])
        .arg(authority.root_file());
    curl.arg("-F").arg(format!("file=@{}", file.display())).arg(gateway.url(TRANSCRIPTIONS));
    let output = curl.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("invalid_token") && said.ends_with("2 401"), "{output:?}");
}

#[tokio::test]
async fn who_still_shakes_hands_when_the_gateway_stops_is_answered_and_let_go() {
    let long = ["HEADER_TIMEOUT", "KEEP_ALIVE", "SHUTDOWN_TIMEOUT"].map(|name| format!("VOXGATE_SERVER__{name}"));
    let (authority, mut gateway) = start_with_tls(&long.each_ref().map(|name| (name.as_str(), "120s"))).await;
    let (one, two) =
        (TcpStream::connect(gateway.address).await.unwrap(), TcpStream::connect(gateway.address).await.unwrap());
    // Connections are taken in their order, so that the first two are taken when this one is.
    let mut told = connect(&gateway, &authority, 100_000).await;
    assert_eq!(told.transcribe("").await.0, 200);
    gateway.terminate();
    let _ = timeout(TIMEOUT, told.ended).await.expect("it is kept").unwrap();
    let mut two = speak(tls_handshake(two, &authority, b"h2").await, 100_000).await;
    let (status, body) = two.transcribe("").await;
    assert_eq!(status, 200);
    rest(body).await.unwrap();
    let mut one = tls_handshake(one, &authority, b"http/1.1").await;
    one.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut said = String::new();
    timeout(TIMEOUT, one.read_to_string(&mut said)).await.expect("HTTP/1 is kept").unwrap();
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    let _ = timeout(TIMEOUT, two.ended).await.expect("HTTP/2 is kept").unwrap();
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_answered_before_it_sends() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let audio = audio::wav(300);
    for (bearer, status) in [(token::good(), 200), ("nobody's".to_owned(), 401)] {
        let mut client = connect(&gateway, &authority, 100_000).await;
        let request = http::Request::post(format!("https://localhost{TRANSCRIPTIONS}?model=gpt-transcribe"))
            .header("authorization", format!("Bearer {bearer}"))
            .header("content-type", "audio/wav")
            .header("expect", "100-continue");
        let (mut answer, mut body) = client.requests.send_request(request.body(()).unwrap(), false).unwrap();
        let told = poll_fn(|cx| answer.poll_informational(cx));
        let told = timeout(TIMEOUT, told).await.expect("it waits for the body, and says nothing");
        let may_send = told.is_some_and(|told| told.unwrap().status() == 100);
        assert_eq!(may_send, status == 200);
        if may_send {
            body.send_data(audio.clone().into(), true).unwrap();
        }
        let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_lets_the_provider_go_whatever_it_speaks() {
    let (authority, gateway) = start_with_tls(&[("VOXGATE_SERVER__WRITE_TIMEOUT", "300ms")]).await;
    let never = Gate::closed();
    let audio = audio::wav(300);
    let head = format!(
        "POST {TRANSCRIPTIONS}?model=gpt-transcribe&stream=true HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {}\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\r\n",
        token::good(),
        audio.len()
    );
    gateway.provider.answer(Reply::stream().send(more_than_sockets_hold()).wait(&never));
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let mut one = tls_handshake(socket, &authority, b"http/1.1").await;
    one.write_all(&[head.as_bytes(), &audio].concat()).await.unwrap();
    gateway.provider.hung_up(1).await;
    gateway.log.recorded(1).await;
    assert_eq!(gateway.log.requests()[0]["outcome"], "client_gone");
}

#[tokio::test]
async fn an_answer_without_a_body_says_nothing_of_its_length() {
    let (_authority, gateway) = start_with_tls(&[]).await;
    let token = token::with(&json!({ "scope": "sessions transcribe" }));
    let wish = gateway.request(Method::POST, "/v1/sessions").bearer_auth(&token);
    let wish = wish.header("content-type", "application/json").body(r#"{"subject":"somebody"}"#);
    let opened = gateway.send(wish).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    let path = format!("/v1/sessions/{}", opened.json()["id"].as_str().unwrap());
    let ended = gateway.send(gateway.request(Method::DELETE, &path).bearer_auth(&token)).await;
    // RFC 9110 §8.6.
    assert_eq!((ended.status, ended.header("content-length")), (204, None));
    let head = gateway.send(gateway.request(Method::HEAD, "/openapi.yaml")).await;
    assert_ne!(head.header("content-length").expect("what a GET would be told"), "0");
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_no_copies() {
    let (authority, gateway) = start_with_tls(&[]).await;
    // No token is needed for it.
    let asset = "https://localhost/docs/swagger-ui-bundle.js";
    let before = gateway.memory();
    let mut client = connect(&gateway, &authority, 0).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        poll_fn(|cx| client.requests.poll_ready(cx)).await.unwrap();
        let request = http::Request::get(asset).body(()).unwrap();
        let answer = client.requests.send_request(request, true).unwrap().0;
        let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
        assert_eq!(answer.status(), 200);
        streams.push(answer);
    }
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 30_000_000, "it holds {grown} bytes more");
}

#[tokio::test]
async fn a_body_of_another_length_than_was_said_is_no_recording() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let audio = audio::wav(300);
    let mut client = connect(&gateway, &authority, 100_000).await;
    for declared in [audio.len() - 1, audio.len() + 1] {
        let (answer, mut body) = client.begin("", declared).await;
        body.send_data(audio.clone().into(), true).unwrap();
        let error = timeout(TIMEOUT, answer).await.expect("no answer").expect_err("it was taken");
        assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR), "{declared}");
    }
    assert_eq!(client.transcribe("").await.0, 200, "the connection goes on");
    assert_eq!(gateway.provider.requests(), 1);
}

#[tokio::test]
async fn a_tunnel_is_no_route() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let mut client = connect(&gateway, &authority, 100_000).await;
    for (method, uri, status) in [
        (http::Method::CONNECT, "localhost:443", 404),
        (http::Method::OPTIONS, "https://localhost/nothing", 404),
        (http::Method::GET, "https://localhost//health/../v1/models", 404),
    ] {
        let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
        poll_fn(|cx| client.requests.poll_ready(cx)).await.unwrap();
        let (answer, _body) = client.requests.send_request(request, false).unwrap();
        let answer = timeout(TIMEOUT, answer).await.expect("no answer").unwrap();
        assert_eq!(answer.status(), status, "{uri}");
        assert!(rest(answer.into_body()).await.unwrap().contains("\"code\":\"not_found\""));
    }
}
