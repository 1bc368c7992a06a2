//! HTTPS: spoken by the gateway itself, with a certificate that can be renewed while it runs.

use std::process::Command;
use std::sync::Arc;

use reqwest::tls::TlsInfo;
use reqwest::{Method, Version};

use crate::support::authority::Authority;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS, run};
use crate::support::provider::{Framing, Gate, Reply, TRANSCRIPT, events};
use crate::support::scrape::Scrape;
use crate::support::{audio, token};

const TAKEN: &str = "the settings were read again and are in force";
const REFUSED: &str = "the settings were not taken over; the old ones stay in force";

async fn start() -> (Arc<Authority>, Gateway) {
    let authority = Arc::new(Authority::new());
    let gateway = Setup::new().tls(&authority).start().await;
    (authority, gateway)
}

/// Each of the protocols, and a client that speaks it.
fn clients(gateway: &Gateway) -> [(Version, reqwest::Client); 2] {
    let client = || gateway.setup().client();
    [(Version::HTTP_11, client().http1_only().build().unwrap()), (Version::HTTP_2, client().build().unwrap())]
}

/// Until when it holds, by what Prometheus is told.
async fn ends(gateway: &Gateway) -> u64 {
    Scrape::of(gateway).await.count("voxgate_tls_certificate_expiry_timestamp_seconds", &[])
}

/// The certificate that a new connection is shown.
async fn shown(gateway: &Gateway) -> Vec<u8> {
    let client = gateway.setup().client().tls_info(true).build().unwrap();
    let answer = client.get(gateway.url("/health/live")).send().await.unwrap();
    answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
}

#[tokio::test]
async fn curl_is_served_when_it_trusts_the_authority_and_leaves_when_it_does_not() {
    let (authority, gateway) = start().await;
    let audio = authority.root_file().with_file_name("speech.wav");
    std::fs::write(&audio, audio::wav(300)).unwrap();
    let curl = |options: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "20", "-w", "\n%{http_version} %{http_code}"]).args(options);
        command.arg("-H").arg(format!("Authorization: Bearer {}", token::good()));
        command.arg("-F").arg(format!("file=@{}", audio.display())).arg(gateway.url(TRANSCRIPTIONS)).output().unwrap()
    };
    let root = authority.root_file();
    for (protocol, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let output = curl(&[protocol, "--cacert", root.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(TRANSCRIPT) && said.ends_with(&format!("\n{version} 200")), "{output:?}");
    }
    let output = curl(&[]);
    // 60: the certificate cannot be verified.
    assert_eq!(output.status.code(), Some(60), "{output:?}");
    assert_eq!(gateway.provider.requests(), 2);
}

#[tokio::test]
async fn curl_sees_why_it_is_refused_while_it_is_still_sending() {
    let authority = Arc::new(Authority::new());
    let setup = Setup::new().tls(&authority).env("VOXGATE_INTAKE__MAX_AUDIO_BYTES", "26214400");
    let gateway = setup.start().await;
    let root = authority.root_file();
    let large = root.with_file_name("large.wav");
    std::fs::write(&large, vec![0; 40_000_000]).unwrap();
    let large = large.to_str().unwrap();
    for (protocol, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for upload in [&["-F", &format!("file=@{large}")][..], &["-T", large, "-X", "POST", "-H", "Expect:"]] {
            for (bearer, status, code) in
                [(token::good(), 413, "file_too_large"), (String::new(), 401, "invalid_token")]
            {
                let mut command = Command::new("curl");
                command.args(["-sS", "--max-time", "20", "-w", "\n%{http_version} %{http_code}", protocol, "--cacert"]);
                command.arg(&root).args(upload);
                let kind = if upload[0] == "-T" { "Content-Type: audio/wav" } else { "X-Kind: form" };
                command.args(["-H", kind, "-H", &format!("Authorization: Bearer {bearer}")]);
                let output = command.arg(gateway.url(TRANSCRIPTIONS)).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(said.contains(code) && said.ends_with(&format!("\n{version} {status}")), "{output:?}");
            }
        }
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_stream_comes_as_it_is_made_over_either_protocol() {
    let (_authority, gateway) = start().await;
    for (version, client) in clients(&gateway) {
        let events = events();
        let gates: Vec<_> = events.iter().map(|_| Gate::closed()).collect();
        let reply = events.iter().zip(&gates);
        let reply =
            reply.fold(Reply::stream(), |reply, (event, gate)| reply.send(Framing::PLAIN.event(event)).wait(gate));
        gateway.provider.answer(reply);
        let request = client.post(gateway.url(TRANSCRIPTIONS)).bearer_auth(token::good());
        let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
        let mut answer = form.on(request).send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        for (event, gate) in events.iter().zip(&gates) {
            let mut read = Vec::new();
            while !read.ends_with(b"\n\n") {
                read.extend(answer.chunk().await.unwrap().expect("the stream ended"));
            }
            assert_eq!(read, Framing::PLAIN.event(event).as_bytes());
            gate.open();
        }
        assert_eq!(answer.text().await.unwrap(), "data: [DONE]\n\n");
    }
}

#[tokio::test]
async fn a_large_recording_arrives_whole_over_either_protocol() {
    let (_authority, gateway) = start().await;
    let audio = audio::wav_of_bytes(20_000_000);
    for (version, client) in clients(&gateway) {
        let request = client.post(gateway.url(TRANSCRIPTIONS)).bearer_auth(token::good());
        let answer = Form::new().file(&audio).on(request).send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        assert!(answer.text().await.unwrap().contains(TRANSCRIPT));
        assert!(gateway.provider.last().file().body == audio, "the recording was changed over {version:?}");
    }
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_https() {
    let (_authority, gateway) = start().await;
    let answer = gateway.send(gateway.request(Method::GET, "/health/live")).await;
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    // Errors too, and what is refused before the body.
    let answer = gateway.send(gateway.request(Method::POST, TRANSCRIPTIONS)).await;
    assert_eq!((answer.status, answer.header("strict-transport-security")), (401, Some("max-age=31536000")));
    let plain = Gateway::start().await;
    let answer = plain.send(plain.request(Method::GET, "/health/live")).await;
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[tokio::test]
async fn a_renewed_certificate_serves_new_connections_only() {
    let (authority, gateway) = start().await;
    let (first, until) = (shown(&gateway).await, ends(&gateway).await);
    let gate = Gate::closed();
    let all = Framing::PLAIN.all(&events());
    let (begun, rest) = all.split_at(Framing::PLAIN.event(&events()[0]).len());
    gateway.provider.answer(Reply::stream().send(begun).wait(&gate).send(rest));
    let form = Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(300));
    let mut stream = gateway.open(form.on(gateway.post(TRANSCRIPTIONS))).await;
    stream.until("\n\n").await;
    // The key comes first: for a moment the two do not fit, which is no reason to change anything.
    authority.issue_until(&["127.0.0.1"], 2040);
    gateway.log.event(TAKEN).await;
    let second = shown(&gateway).await;
    assert_ne!(first, second);
    assert!(ends(&gateway).await < until);
    gate.open();
    assert_eq!(stream.rest().await, format!("{rest}data: [DONE]\n\n"));
    authority.issue(&["127.0.0.1"]);
    gateway.signal("HUP");
    gateway.log.events(TAKEN, 2).await;
    assert_ne!(shown(&gateway).await, second);
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_its_key_changes_nothing() {
    let (authority, gateway) = start().await;
    let first = shown(&gateway).await;
    let (certificate, key) = authority.certificate(&["127.0.0.1"]);
    authority.put(&authority.certificate_file(), &certificate);
    let refused = gateway.log.event(REFUSED).await;
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.starts_with("server.tls_cert, server.tls_key: "), "{reason}");
    assert_eq!(shown(&gateway).await, first);
    authority.put(&authority.key_file(), &key);
    gateway.log.event(TAKEN).await;
    assert_ne!(shown(&gateway).await, first);
    authority.put(&authority.key_file(), "");
    gateway.log.find("a key that is none", |line| line.contains("server.tls_key: holds none").then_some(())).await;
}

#[tokio::test]
async fn what_cannot_be_spoken_with_is_named_before_anything_listens() {
    let authority = Authority::new();
    let (other, _) = authority.certificate(&["127.0.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = authority.certificate_file().to_str().unwrap().to_owned();
    let key = authority.key_file().to_str().unwrap().to_owned();
    for (case, certificate, key, what) in [
        ("a key alone", None, Some(&key), "tls_key is given, and the two go together"),
        ("a certificate alone", Some(&certificate), None, "tls_cert is given, and the two go together"),
        ("no file", Some(&file("no", "").replace("/no", "/nowhere")), Some(&key), "nowhere cannot be read: "),
        ("no PEM", Some(&file("text", "hello")), Some(&key), "server.tls_cert: holds none"),
        ("a key for a certificate", Some(&key), Some(&key), "server.tls_cert: holds none"),
        ("a certificate for a key", Some(&certificate), Some(&certificate), "server.tls_key: holds none"),
        ("of another pair", Some(&file("other", &other)), Some(&key), "server.tls_cert, server.tls_key: "),
    ] {
        let mut variables = vec![("VOXGATE_BIND", "127.0.0.1:0"), ("VOXGATE_OPS_BIND", "127.0.0.1:0")];
        variables.extend(certificate.map(|path| ("VOXGATE_SERVER__TLS_CERT", path.as_str())));
        variables.extend(key.map(|path| ("VOXGATE_SERVER__TLS_KEY", path.as_str())));
        for command in ["serve", "check"] {
            let output = run(&[command], &variables, folder.path());
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!output.status.success() && said.contains(what), "{case}, {command}: {said}");
            assert!(!said.contains("PRIVATE KEY"), "{case}");
        }
    }
}

#[tokio::test]
async fn the_commands_know_of_it() {
    let (_authority, gateway) = start().await;
    let listens = format!("Voxgate listens on https://{}", gateway.address);
    gateway.banner().find("the address", |line| line.contains(&listens).then_some(())).await;
    let address = gateway.address.to_string();
    let health = gateway.command(&["health", "--address", &address]);
    assert!(health.status.success(), "{health:?}");
    let check = gateway.command(&["check"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        said.lines().any(|line| line.starts_with("tls ") && line.contains("the certificate is valid until ")),
        "{said}"
    );
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_answered_with_400() {
    let (_authority, gateway) = start().await;
    let mut wire = gateway.wire().await;
    wire.send(format!("GET /health/live HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address)).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 400 "));
    let body = wire.rest().await;
    assert!(body.contains("\"code\":\"https_required\"") && body.contains("use https://"), "{body}");
}

#[tokio::test]
async fn a_client_that_never_ends_its_handshake_is_dropped() {
    let authority = Arc::new(Authority::new());
    // The last client's handshake has to be in time on a busy machine too.
    let gateway = Setup::new().tls(&authority).env("VOXGATE_SERVER__HEADER_TIMEOUT", "1500ms").start().await;
    // Nothing, and the beginning of a record that says that more will come.
    for beginning in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut wire = gateway.wire().await;
        wire.send(beginning).await;
        // The wire's own patience would end first if the gateway did not close.
        wire.rest().await;
    }
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
}

#[tokio::test]
async fn only_a_start_decides_whether_tls_is_spoken() {
    let authority = Authority::new();
    let gateway = Gateway::start().await;
    let (certificate, key) = (authority.certificate_file(), authority.key_file());
    gateway.configure(&format!("[server]\ntls_cert = {certificate:?}\ntls_key = {key:?}\n"));
    let refused = gateway.log.event(REFUSED).await;
    assert!(refused["reason"].as_str().unwrap().contains("only a start decides"), "{refused}");
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
}
