//! `voxgate transcribe` with a gateway that `--url` names.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use crate::support::audio;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Framing, Gate, Provider, Reply, TRANSCRIPT, events, key};
use crate::support::token;
use crate::support::transcribe::Recordings;

#[tokio::test]
async fn a_gateway_transcribes_by_its_own_rules() {
    let gateway = Gateway::start().await;
    let recordings = Recordings::with_gateway(&gateway).file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav"]).succeeded();
    assert_eq!(ran.stdout, format!("{TRANSCRIPT}\n"));
    let usage = gateway.send(gateway.get("/v1/usage")).await.json();
    assert_eq!(usage["total"]["requests"], 1, "{usage}");
    assert_eq!(recordings.names("state"), [""; 0], "it started a gateway of its own");
}

#[tokio::test]
async fn the_token_may_be_in_a_file_or_an_argument() {
    let gateway = Gateway::start().await;
    let token = token::good();
    let recordings =
        Recordings::new().file("talk.wav", &audio::wav(1500)).file("token", format!("{token}\n").as_bytes());
    let url = gateway.url("/v1/");
    recordings.transcribe(&["talk.wav", "--url", &url, "--token-file", "token"]).succeeded();
    recordings.transcribe(&["talk.wav", "--url", &url, "--token", &token]).succeeded();
    let by_variable = recordings.env("VOXGATE_TOKEN", "").env("VOXGATE_TOKEN_FILE", "token");
    by_variable.transcribe(&["talk.wav", "--url", &url]).succeeded();
    by_variable.transcribe(&["talk.wav", "--url", &url, "--token-file", "missing"]).was_refused(&["missing"]);
    by_variable.env("VOXGATE_TOKEN_FILE", "").transcribe(&["talk.wav", "--url", &url]).was_refused(&["VOXGATE_TOKEN"]);
}

#[tokio::test]
async fn a_refused_token_is_told_once_before_anything_is_sent() {
    let gateway = Gateway::start().await;
    let recordings = Recordings::with_gateway(&gateway)
        .env("VOXGATE_TOKEN", "not-a-token-that-anyone-knows")
        .file("a.wav", &audio::wav(1500))
        .file("b.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["a.wav", "b.wav", "--output", "out"]);
    ran.was_refused(&["invalid_token", "(request "]);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("anyone-knows"), "{}", ran.stderr);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_told_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let recordings = Recordings::new().env("VOXGATE_TOKEN", "abc").file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--url", &format!("http://{free}")]);
    ran.was_refused(&["connection is refused"]);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[tokio::test]
async fn no_redirect_takes_the_token_elsewhere() {
    let [first, elsewhere] = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    elsewhere.set_nonblocking(true).unwrap();
    let (url, other) = (format!("http://{}", first.local_addr().unwrap()), elsewhere.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut connection, _) = first.accept().unwrap();
        let mut head = [0; 4096];
        let _ = connection.read(&mut head).unwrap();
        let answer = format!(
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: http://{other}/v1/models\r\nContent-Length: 0\r\n\r\n"
        );
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let recordings = Recordings::new().env("VOXGATE_TOKEN", "abc").file("talk.wav", &audio::wav(1500));
    recordings.transcribe(&["talk.wav", "--url", &url]).was_refused(&["redirects", &other.to_string()]);
    answering.join().unwrap();
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the redirect was followed");
}

#[tokio::test]
async fn a_token_over_plain_http_to_another_machine_is_warned_of() {
    let recordings = Recordings::new().env("VOXGATE_TOKEN", "abc").file("talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["talk.wav", "--url", "http://voxgate.invalid:9"]);
    ran.was_refused(&["plain HTTP", "voxgate.invalid"]);
    let ran = recordings.transcribe(&["talk.wav", "--url", "https://voxgate.invalid:9"]);
    assert!(!ran.stderr.contains("plain HTTP"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_words_of_a_sandbox_are_never_written() {
    let sandbox = || Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL");
    let gateway = sandbox().start().await;
    let recordings = Recordings::with_gateway(&gateway).file("talk.wav", &audio::wav(1500));
    for model in [&[][..], &["--model", "whisper-1"], &["--model", "other"]] {
        let arguments = [&["talk.wav", "--output", "out"], model].concat();
        recordings.transcribe(&arguments).was_refused(&["sandbox"]);
    }
    assert!(!recordings.path("out").join("talk.txt").exists());
    // A gateway with a provider of another name, too.
    let provider = Provider::with_keys(&[&key("local")]);
    let mixed = sandbox().provider("local", &provider, &key("local")).more("[models.small]\nprovider = \"local\"");
    let gateway = mixed.start().await;
    let recordings = Recordings::with_gateway(&gateway).file("talk.wav", &audio::wav(1500));
    recordings.transcribe(&["talk.wav", "--model", "whisper-1"]).was_refused(&["sandbox"]);
    let default = recordings.transcribe(&["talk.wav"]);
    assert_eq!((default.code, default.stdout.as_str()), (Some(1), ""), "{}", default.stderr);
    assert!(default.stderr.contains("sandbox"), "{}", default.stderr);
    assert_eq!(recordings.transcribe(&["talk.wav", "--model", "small"]).succeeded().stdout, format!("{TRANSCRIPT}\n"));
}

#[tokio::test]
async fn a_rate_limit_delays_recordings_and_fails_none() {
    let gateway = Setup::new().config("[plans.default]\nrequests_per_minute = 60\nburst = 1\n").start().await;
    let recordings =
        Recordings::with_gateway(&gateway).file("a.wav", &audio::wav(1500)).file("b.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["a.wav", "b.wav", "--output", "out"]).succeeded();
    assert!(ran.stderr.contains("is sent again in") && ran.stderr.contains("rate_limit_exceeded"), "{}", ran.stderr);
    assert_eq!(recordings.names("out"), ["a.txt", "b.txt"]);
}

#[tokio::test]
async fn as_many_are_sent_at_once_as_the_plan_allows() {
    let gateway = Setup::new().config("[plans.default]\nmax_concurrent = 1\n").start().await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.all(&events())).held_by(&gate));
    let recordings =
        Recordings::with_gateway(&gateway).file("a.wav", &audio::wav(1500)).file("b.wav", &audio::wav(1500));
    let mut running = recordings.start(&["a.wav", "b.wav", "--output", "out"]);
    running.stderr.shows("waits for another to end: concurrency_limit_exceeded").await;
    gate.open();
    assert_eq!(running.ended().await, Some(0), "{}", running.stderr.text());
    assert_eq!((recordings.names("out").len(), gateway.provider.requests()), (2, 2));
}
