//! `voxgate transcribe` where something else than a gateway answers, or a gateway refuses, and where nobody reads or writes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::audio;
use crate::support::poll::until;
use crate::support::transcribe::Recordings;

const MODELS: &str = r#"{"object":"list","data":[]}"#;
const JSON: &str = "application/json";

/// An answer with a status, the rest of the head, a content type and a body.
#[derive(Clone)]
struct Says(u16, &'static str, &'static str, String);

/// Something that answers over HTTP: first to a request for the models, then to recordings.
struct Stranger {
    url: String,
    recordings: Arc<AtomicUsize>,
}

impl Stranger {
    /// Answers to the recordings in turn, and from then on as to the last.
    fn start(models: Says, recordings: Vec<Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let says = if read_request(&connection) {
                    let number = seen.fetch_add(1, Ordering::Relaxed);
                    recordings.get(number).or(recordings.last()).cloned().unwrap()
                } else {
                    models.clone()
                };
                let Says(status, more, content_type, body) = says;
                let head = format!(
                    "HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n",
                    body.len()
                );
                // A command that was stopped reads nothing.
                let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes()));
            }
        });
        Self { url, recordings: count }
    }

    /// A gateway that answers to recordings like this.
    fn gateway(recordings: Vec<Says>) -> Self {
        Self::start(Says(200, "", JSON, MODELS.to_owned()), recordings)
    }

    fn recordings(&self) -> usize {
        self.recordings.load(Ordering::Relaxed)
    }

    fn client(&self) -> Recordings {
        Recordings::new().env("VOXGATE_URL", &self.url).env("VOXGATE_TOKEN", "abc")
    }
}

/// Reads a request whole, and returns true if it brings a recording.
fn read_request(connection: &TcpStream) -> bool {
    let mut reader = BufReader::new(connection);
    let (mut line, mut length, mut has_recording) = (String::new(), None, false);
    while reader.read_line(&mut line).unwrap() > 2 {
        has_recording |= line.starts_with("POST");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = Some(value.trim().parse::<u64>().unwrap());
        }
        line.clear();
    }
    if let Some(length) = length {
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    } else if has_recording {
        let mut body = Vec::new();
        let mut byte = [0];
        while !body.ends_with(b"\r\n0\r\n\r\n") && reader.read(&mut byte).unwrap() == 1 {
            body.push(byte[0]);
        }
    }
    has_recording
}

fn text(words: &str) -> Says {
    Says(200, "", "text/plain; charset=utf-8", words.to_owned())
}

fn page() -> Says {
    Says(200, "", "text/html", "<html>Please log in.</html>".to_owned())
}

fn refusal(status: u16, more: &'static str, code: &str) -> Says {
    Says(status, more, JSON, format!(r#"{{"error":{{"message":"No.","type":"x","code":"{code}"}}}}"#))
}

#[tokio::test]
async fn a_page_is_never_written_as_a_transcript() {
    for format in ["text", "srt", "vtt", "json"] {
        let stranger = Stranger::gateway(vec![page()]);
        let recordings = stranger.client().file("talk.wav", &audio::wav(1500));
        let ran = recordings.transcribe(&["talk.wav", "--format", format, "--output", "out"]);
        assert_eq!(ran.code, Some(1), "{format}: {}", ran.stderr);
        assert_eq!(recordings.names("out"), [""; 0], "{format}");
    }
}

#[tokio::test]
async fn what_lists_no_models_gets_no_recording() {
    let stranger = Stranger::start(page(), vec![page()]);
    let recordings = stranger.client().file("talk.wav", &audio::wav(1500));
    recordings.transcribe(&["talk.wav"]).was_refused(&["no Voxgate gateway"]);
    assert_eq!(stranger.recordings(), 0);
}

#[tokio::test]
async fn a_pipe_is_sent_once() {
    let refused = refusal(429, "Retry-After: 1\r\n", "rate_limit_exceeded");
    let stranger = Stranger::gateway(vec![refused, text("the rest of it")]);
    let recordings = stranger.client();
    let pipe = recordings.path("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let writing = std::thread::spawn(move || std::fs::write(pipe, audio::wav(1500)));
    let mut running = recordings.start(&["pipe"]);
    assert_eq!(running.ended().await, Some(1), "{}", running.stderr.text());
    running.stderr.shows("read only once").await;
    assert_eq!((running.stdout.text().as_str(), stranger.recordings()), ("", 1));
    writing.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_pipe_without_a_writer_is_no_reason_to_outlive_a_signal() {
    let stranger = Stranger::gateway(vec![text("words")]);
    let recordings = stranger.client().file("talk.wav", &audio::wav(1500));
    mkfifo(&recordings.path("pipe"), Mode::S_IRWXU).unwrap();
    let mut running = recordings.start(&["pipe", "talk.wav", "--output", "out"]);
    running.stderr.shows("talk.wav: written to").await;
    running.signal(Signal::SIGTERM);
    assert_eq!(running.ended().await, Some(143));
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_reason_to_outlive_a_signal() {
    let stranger = Stranger::gateway(vec![text(&"words ".repeat(200_000))]);
    let recordings = stranger.client().file("talk.wav", &audio::wav(1500));
    let (mut running, _unread) = recordings.start_unread(&["talk.wav"]);
    running.stderr.shows("talk.wav: transcribed").await;
    running.signal(Signal::SIGTERM);
    assert_eq!(running.ended().await, Some(143));
}

#[tokio::test]
async fn a_closed_terminal_stops_the_command_in_order() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("1").trim();
    if u64::from_str_radix(ignored, 16).unwrap() & 1 == 1 {
        // Under `nohup`, the command is to outlive its terminal.
        return;
    }
    let stranger = Stranger::gateway(vec![text("words")]);
    let recordings = stranger.client();
    mkfifo(&recordings.path("pipe"), Mode::S_IRWXU).unwrap();
    let mut running = recordings.start(&["pipe", "missing.wav"]);
    running.stderr.shows("missing.wav: cannot be read").await;
    running.signal(Signal::SIGHUP);
    assert_eq!(running.ended().await, Some(129));
    running.stderr.shows("stopped: ").await;
}

#[tokio::test]
async fn a_refusal_of_the_caller_ends_the_run() {
    let numbers = [1, 2, 3, 4].map(|number| format!("in/talk{number}.wav"));
    for (before, code, said) in [(0, 2, "1 failed, 3 left"), (1, 1, "1 failed, 2 left")] {
        let mut answers = vec![text("words"); before];
        answers.push(refusal(401, "", "token_expired"));
        let stranger = Stranger::gateway(answers);
        let recordings =
            numbers.iter().fold(stranger.client(), |recordings, name| recordings.file(name, &audio::wav(1500)));
        let ran = recordings.transcribe(&["in", "--output", "out", "--jobs", "1"]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert_eq!(stranger.recordings(), before + 1);
    }
}

#[tokio::test]
async fn no_proxy_gets_what_stays_on_this_machine() {
    let proxy = Stranger::gateway(vec![text("of the proxy")]);
    let gateway = Stranger::gateway(vec![text("of the gateway")]);
    let recordings = gateway.client().env("HTTP_PROXY", &proxy.url).env("http_proxy", &proxy.url);
    let recordings = recordings.env("NO_PROXY", "").file("talk.wav", &audio::wav(1500));
    assert_eq!(recordings.transcribe(&["talk.wav"]).succeeded().stdout, "of the gateway\n");
    assert_eq!(proxy.recordings(), 0);
}

#[tokio::test]
async fn a_transcript_that_cannot_be_written_is_printed() {
    let stranger = Stranger::gateway(vec![text("words that were paid for")]);
    let recordings = stranger.client();
    let pipe = recordings.path("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut running = recordings.start(&["pipe", "--output", "out"]);
    // The command opens the pipe once it has the folder, and sends it when it ends.
    let mut writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    writer.write_all(&audio::wav(1500)).unwrap();
    std::fs::remove_dir_all(recordings.path("out")).unwrap();
    drop(writer);
    assert_eq!(running.ended().await, Some(1));
    running.stderr.shows("it is on standard output").await;
    let printed = async || if running.stdout.text().contains("paid for") { Ok(()) } else { Err(running.stdout.text()) };
    until("it is printed", printed).await;
}

#[tokio::test]
async fn what_is_no_transcript_is_not_taken_for_one() {
    let stranger = Stranger::gateway(vec![text("words")]);
    let recordings = stranger.client().file("talk.wav", &audio::wav(1500)).file("out/talk.txt", b"");
    let ran = recordings.transcribe(&["talk.wav", "--output", "out"]);
    assert_eq!((ran.code, stranger.recordings()), (Some(1), 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("has no transcript"), "{}", ran.stderr);
}
