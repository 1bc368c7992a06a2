//! Tests of the sieve against the parser alone: a form, however it is cut, yields equal parts.

use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use futures_util::stream;
use proptest::prelude::*;
use tokio::time::timeout;

use super::*;

const B: &str = "bound";

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=bound"));
    headers
}

/// The marker for an error that the sieve finds and the parser does not see.
const BAD_HEAD: &str = "a head that cannot be read";

type Taken = (Vec<(String, Vec<u8>)>, Option<String>);

fn pieces(body: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<> {
    stream::iter(body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>())
}

/// Returns the parts and the error of a form, with the parser alone.
async fn alone(body: &[u8], size: usize) -> Taken {
    let mut form = Multipart::new(&headers(), pieces(body, size));
    let mut parts = Vec::new();
    while let Some(part) = form.next().await {
        let Ok(mut part) = part else { return (parts, Some(part.unwrap_err().to_string())) };
        let mut content = Vec::new();
        while let Some(chunk) = part.next().await {
            match chunk {
                Ok(chunk) => content.extend_from_slice(&chunk),
                Err(error) => return (parts, Some(error.to_string())),
            }
        }
        parts.push((part.name().unwrap_or_default().to_owned(), content));
    }
    (parts, None)
}

/// Returns the parts and the error with the sieve before the parser. The sieve takes out every `file`.
async fn sieved(body: &[u8], size: usize) -> Taken {
    let sieve = Sieve::new(pieces(body, size), B);
    let mut form = Multipart::new(&headers(), sieve.feed());
    let mut parts = Vec::new();
    while let Some(part) = sieve.parsed(form.next()).await {
        let Ok(mut part) = part else { return (parts, Some(part.unwrap_err().to_string())) };
        if sieve.part().is_err() {
            return (parts, Some(BAD_HEAD.to_owned()));
        }
        let mut content = Vec::new();
        if part.name() == Some("file") {
            while let Some(chunk) = sieve.recording().await {
                content.extend_from_slice(&chunk.unwrap());
            }
        } else {
            sieve.text();
        }
        while let Some(chunk) = sieve.parsed(part.next()).await {
            match chunk {
                Ok(chunk) => content.extend_from_slice(&chunk),
                Err(error) => return (parts, Some(error.to_string())),
            }
        }
        parts.push((part.name().unwrap_or_default().to_owned(), content));
        sieve.head();
    }
    (parts, None)
}

fn part(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{B}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body: Vec<u8> = parts.iter().flat_map(|(name, content)| part(name, content)).collect();
    body.extend_from_slice(b"--bound--\r\n");
    body
}

/// Removes the blanks that may follow delimiters (RFC 2046 §5.1.1), which the parser does not accept.
fn unpadded(body: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::new(), body);
    let opening = [b"\r\n--", B.as_bytes()].concat();
    while let Some(at) = memchr::memmem::find(rest, &opening) {
        let (before, after) = rest.split_at(at + opening.len());
        let (dashes, padding) = after.split_at(if after.starts_with(b"--") { 2 } else { 0 });
        let blanks = padding.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        plain.extend([before, dashes].concat());
        // Directly after a part's head the boundary is not a delimiter: the line break belongs to the head.
        let is_delimiter = !before[..at].ends_with(b"\"\r\n") && padding[blanks..].starts_with(b"\r\n");
        rest = if is_delimiter { &padding[blanks..] } else { padding };
    }
    plain.extend(rest);
    plain
}

async fn same(body: &[u8], size: usize) -> Taken {
    let patience = Duration::from_secs(10);
    let plain = timeout(patience, alone(&unpadded(body), size)).await.expect("the parser alone does not end");
    let taken = timeout(patience, sieved(body, size)).await.expect("the sieve does not end");
    let shown = String::from_utf8_lossy(body);
    // The sieve finds an unreadable head; the parser's message for it differs.
    if taken.1.as_deref() == Some(BAD_HEAD) {
        assert_eq!((&taken.0, plain.1.is_some()), (&plain.0, true), "in pieces of {size}: {shown:?}");
        return taken;
    }
    assert_eq!(taken, plain, "in pieces of {size}: {shown:?}");
    taken
}

#[tokio::test]
async fn a_recording_may_hold_anything_but_its_boundary() {
    let recordings: [&[u8]; 7] = [
        b"",
        b"\r\n",
        b"\r\n--boun",
        b"a\r\n\r\nb\r\n--bounty",
        b"--bound\r\n",
        b"\r\r\n-\r\n--",
        b"noise \r\n--Bound--\r\n",
    ];
    for recording in recordings {
        let body = form(&[("model", b"m"), ("file", recording), ("language", b"en")]);
        for size in 1..body.len() {
            let (parts, error) = same(&body, size).await;
            assert_eq!((parts.len(), error), (3, None), "{recording:?}");
            assert_eq!(parts[1].1, recording);
        }
    }
}

#[tokio::test]
async fn what_is_before_and_after_the_parts_is_passed_over() {
    let (file, text) = (part("file", b"x"), part("model", b"m"));
    for preamble in ["", "\r\n", "blank lines\r\n\r\nand more\r\n\r\n\r\n"] {
        for epilogue in ["", "\r\n", "\r\nafter\r\n\r\nall\r\n\r\n"] {
            let body = [preamble.as_bytes(), &file, &text, b"--bound--", epilogue.as_bytes()].concat();
            for size in [1, 2, 3, 5, 7, 11, body.len()] {
                same(&body, size).await;
            }
        }
    }
}

#[tokio::test]
async fn a_form_that_breaks_off_anywhere_is_the_same_error() {
    let body = form(&[("file", b"noise\r\n\r\n"), ("model", b"m"), ("file", b"")]);
    for end in 0..body.len() {
        for size in [1, 4, body.len()] {
            same(&body[..end], size).await;
        }
    }
}

/// The parser takes 64 KiB at a time, possibly less than the sieve offers at once.
#[tokio::test]
async fn more_than_the_parser_takes_at_once_may_come_before_the_parts() {
    let preamble = ["x".repeat(60_000), "y".repeat(5_500)].join("\r\n");
    let recording: Vec<u8> = (0..3000).flat_map(|line| format!("{line}\r\n\r\n").into_bytes()).collect();
    for file_first in [true, false] {
        let mut parts = [("file", recording.as_slice()), ("model", b"m")];
        if !file_first {
            parts.reverse();
        }
        let body = [preamble.as_bytes(), b"\r\n", &form(&parts)].concat();
        for size in [1000, 35_000, 65_536, 70_000, body.len()] {
            same(&body, size).await;
        }
    }
}

/// The bytes of a part end at its delimiter, whatever its head says: they equal those in a form whose heads have only
/// names.
#[tokio::test]
async fn the_head_of_a_part_changes_nothing_in_it() {
    let contents: [(&str, &[u8]); 4] =
        [("model", b"m"), ("file", b"\r\nnoise\r\n"), ("prompt", "é".as_bytes()), ("x", b"")];
    let plain = sieved(&form(&contents), 7).await;
    assert_eq!((plain.0.len(), &plain.1), (4, &None));
    for (before, after) in [
        ("", "; filename=\"caf\u{0}.wav\""),
        ("Content-Length: 1\r\n", ""),
        ("Content-Length: 99999\r\n", "; filename*=utf-8''caf%c3%a9.wav"),
        ("Content-Length: none\r\n", "; filename=\"a;b\""),
        ("X-Folded: a\r\n b\r\n\tc\r\n", ";\r\n filename=\"a.wav\""),
        ("Content-Transfer-Encoding: binary\r\nContent-Type: text/plain; charset=utf-16\r\n", ""),
    ] {
        for padding in ["", " ", "\t \t"] {
            let mut body = Vec::new();
            for (name, content) in contents {
                let after = after.replace('\u{0}', "\u{fe}");
                let head = format!("--{B}{padding}\r\n{before}Content-Disposition: form-data; name=\"{name}\"{after}");
                // The head is encoded as Latin-1.
                body.extend(head.chars().map(|c| u8::try_from(c).unwrap()));
                body.extend([b"\r\n\r\n", content, b"\r\n"].concat());
            }
            body.extend(format!("--{B}--{padding}\r\n").into_bytes());
            for size in [1, 2, 3, 5, 11, body.len()] {
                let taken =
                    timeout(Duration::from_secs(10), sieved(&body, size)).await.expect("the sieve does not end");
                assert_eq!(taken, plain, "in pieces of {size}: {:?}", String::from_utf8_lossy(&body));
            }
        }
    }
}

#[tokio::test]
async fn a_part_without_a_head_or_with_one_without_end_is_an_error_and_ends() {
    let long = format!("--{B}\r\nX: {}\r\n\r\n", "x".repeat(2 * head::MAX_HEAD_BYTES));
    for body in [format!("--{B}\r\n\r\nx\r\n--{B}--\r\n"), long, format!("--{B} x\r\n"), format!("--{B}\n\r\n\r\n")] {
        for size in [1, 7, 4096, body.len()] {
            let sieve = Sieve::new(pieces(body.as_bytes(), size), B);
            let mut form = Multipart::new(&headers(), sieve.feed());
            let part = timeout(Duration::from_secs(10), sieve.parsed(form.next())).await.expect("it does not end");
            let part = part.expect("a part or an error").map(|_| sieve.part());
            assert!(!matches!(part, Ok(Ok(_))), "{}", &body[..20]);
        }
    }
}

#[tokio::test]
async fn the_size_of_a_last_recording_follows_from_that_of_the_body() {
    let body = form(&[("model", b"m"), ("file", b"twelve bytes")]);
    let whole = u64::try_from(body.len()).unwrap();
    let sieve = Sieve::new(pieces(&body, 9), B);
    let mut form = Multipart::new(&headers(), sieve.feed());
    let mut first = sieve.parsed(form.next()).await.unwrap().unwrap();
    sieve.text();
    while sieve.parsed(first.next()).await.is_some() {}
    drop(first);
    sieve.head();
    let _file = sieve.parsed(form.next()).await.unwrap().unwrap();
    assert_eq!(sieve.expected(whole), Some(12));
    assert_eq!(sieve.expected(10), None, "less than has come");
}

proptest! {
    #[test]
    fn any_form_comes_apart_alike(
        // A bare CR is excluded: the parser takes one before a boundary for a line break, contrary to RFC 2046 §5.1.1.
        parts in prop::collection::vec(
            (prop::sample::select(vec!["file", "model", "prompt"]), r"(\r\n|--|bound|[\n a-c:-]){0,12}"),
            0..4,
        ),
        size in 1..40_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let parts: Vec<_> = parts.iter().map(|(name, content)| (*name, content.as_bytes())).collect();
        let body = form(&parts);
        runtime.block_on(same(&body, size));
    }
}
