use proptest::prelude::*;

use super::*;

/// Reads a head in pieces of the given size.
fn read(bytes: &[u8], piece: usize) -> Result<Option<Head>, Fault> {
    let (mut read, mut scanned) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        read.extend_from_slice(piece);
        if let Some(end) = find_end(&read, &mut scanned)? {
            return parse(&read[..end]).map(Some);
        }
    }
    Ok(None)
}

#[track_caller]
fn body_of(head: &str) -> Result<BodyLength, Fault> {
    let answers: Vec<_> = (1..=head.len()).map(|piece| read(head.as_bytes(), piece)).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{head:?} is read in different ways");
    answers[0].clone().map(|head| head.expect("it has no end").body)
}

/// Builds a request with these lines.
fn with(lines: &str) -> String {
    format!("POST /v1/models HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

#[test]
fn the_end_of_a_body_is_told_by_its_length_or_by_chunks() {
    for (lines, body) in [
        ("", BodyLength::Known(0)),
        ("Content-Length: 0\r\n", BodyLength::Known(0)),
        ("content-length:\t5 \r\n", BodyLength::Known(5)),
        ("Content-Length: 18446744073709551615\r\n", BodyLength::Known(u64::MAX)),
        ("Transfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("TRANSFER-ENCODING:Chunked\r\n", BodyLength::Chunked),
        ("X-Latin: caf\u{e9}\r\nContent-Length: 1\r\n", BodyLength::Known(1)),
        ("X-Empty:\r\nX-Tab: a\tb\r\n", BodyLength::Known(0)),
    ] {
        assert_eq!(body_of(&with(lines)), Ok(body), "{lines:?}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (lines, fault) in [
        ("A: b\nC: d\r\n", Fault::BareLineFeed),
        ("A: b\r\n\n", Fault::BareLineFeed),
        ("A: b\rC: d\r\n", Fault::BareCarriageReturn),
        ("A: b\r\r\n", Fault::BareCarriageReturn),
        ("A: b\0c\r\n", Fault::ControlCharacter),
        ("A: \x0bb\r\n", Fault::ControlCharacter),
        ("A: \x7f\r\n", Fault::ControlCharacter),
        ("A : b\r\n", Fault::FieldName),
        ("A\t: b\r\n", Fault::FieldName),
        (": b\r\n", Fault::FieldName),
        ("A\r\n", Fault::FieldName),
        ("A(b): c\r\n", Fault::FieldName),
        ("\u{e9}: c\r\n", Fault::FieldName),
        (" A: b\r\n", Fault::Folded),
        ("A: b\r\n c\r\n", Fault::Folded),
        ("A: b\r\n\tc\r\n", Fault::Folded),
        ("A:\r\n b\r\n", Fault::Folded),
        ("Host: localhost\r\n", Fault::Host),
        ("HOST: other\r\n", Fault::Host),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", Fault::ContentLength),
        ("Content-Length: 5, 5\r\n", Fault::ContentLength),
        ("Content-Length: +5\r\n", Fault::ContentLength),
        ("Content-Length: -5\r\n", Fault::ContentLength),
        ("Content-Length: 0x5\r\n", Fault::ContentLength),
        ("Content-Length: 5 5\r\n", Fault::ContentLength),
        ("Content-Length: 5.0\r\n", Fault::ContentLength),
        ("Content-Length:\r\n", Fault::ContentLength),
        ("Content-Length: 18446744073709551616\r\n", Fault::ContentLength),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked, chunked\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: identity\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked;q=1\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding:\r\n", Fault::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Fault::TwoLengths),
        ("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", Fault::TwoLengths),
    ] {
        assert_eq!(body_of(&with(lines)), Err(fault), "{lines:?}");
    }
}

#[test]
fn a_request_line_has_three_words_and_a_target_that_is_meant_for_a_server() {
    for (line, fault) in [
        ("GET /", Fault::RequestLine),
        ("GET  / HTTP/1.1", Fault::RequestLine),
        ("GET / HTTP/1.1 ", Fault::RequestLine),
        ("G(T / HTTP/1.1", Fault::RequestLine),
        ("GET /\tHTTP/1.1", Fault::RequestLine),
        ("GET / HTTP/1.2", Fault::Version),
        ("GET / HTTP/2.0", Fault::Version),
        ("GET / HTTP/0.9", Fault::Version),
        ("GET / http/1.1", Fault::Version),
        ("GET / HTTP/1.1x", Fault::Version),
        ("CONNECT localhost:443 HTTP/1.1", Fault::Connect),
        ("CONNECT /v1/models HTTP/1.1", Fault::Connect),
        ("GET * HTTP/1.1", Fault::Target),
        ("GET v1/models HTTP/1.1", Fault::Target),
        ("GET localhost HTTP/1.1", Fault::Target),
        ("GET ftp://localhost/ HTTP/1.1", Fault::Target),
        ("GET http:/// HTTP/1.1", Fault::Target),
        ("GET http://me@localhost/ HTTP/1.1", Fault::Target),
        ("GET http://other/ HTTP/1.1", Fault::OtherHost),
        ("GET http://localhost:81/ HTTP/1.1", Fault::OtherHost),
        ("GET https://localhost:80/ HTTP/1.1", Fault::OtherHost),
    ] {
        assert_eq!(body_of(&format!("{line}\r\nHost: localhost\r\n\r\n")), Err(fault), "{line:?}");
    }
    for line in [
        "OPTIONS * HTTP/1.1",
        "GET /v1/usage?month=2026-11 HTTP/1.1",
        "GET http://LOCALHOST:80/v1/models HTTP/1.1",
        "GET https://localhost/ HTTP/1.1",
    ] {
        assert_eq!(body_of(&format!("{line}\r\nHost: localhost\r\n\r\n")), Ok(BodyLength::Known(0)), "{line:?}");
    }
}

#[test]
fn a_request_names_one_host() {
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", Err(Fault::Host)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Err(Fault::Host)),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Err(Fault::Host)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Err(Fault::Host)),
        ("GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", Err(Fault::Host)),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", Err(Fault::Host)),
        ("GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", Err(Fault::OtherHost)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Ok(())),
        ("GET / HTTP/1.1\r\nHost: a_b.example:8080\r\n\r\n", Ok(())),
        ("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", Ok(())),
        ("GET / HTTP/1.0\r\n\r\n", Ok(())),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Err(Fault::Host)),
        ("GET http://a/ HTTP/1.0\r\n\r\n", Ok(())),
    ] {
        assert_eq!(body_of(head).map(|_| ()), expected, "{head:?}");
    }
}

#[test]
fn http10_knows_no_chunks_and_tells_the_length_of_what_it_posts() {
    for (head, expected) in [
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Fault::ChunkedHttp10)),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n", Err(Fault::ChunkedHttp10)),
        ("POST / HTTP/1.0\r\n\r\n", Err(Fault::LengthMissing)),
        ("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", Ok(BodyLength::Known(0))),
        ("GET / HTTP/1.0\r\n\r\n", Ok(BodyLength::Known(0))),
    ] {
        assert_eq!(body_of(head), expected, "{head:?}");
    }
}

#[test]
fn a_head_has_bounds() {
    let long = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes));
    assert_eq!(read(long(MAX_TARGET_BYTES).as_bytes(), 8192), Err(Fault::TargetTooLong));
    assert!(read(long(MAX_TARGET_BYTES - 1).as_bytes(), 8192).is_ok());
    let fields = |count: usize| with(&"A: b\r\n".repeat(count - 1));
    assert!(read(fields(MAX_FIELDS).as_bytes(), 8192).is_ok());
    assert_eq!(read(fields(MAX_FIELDS + 1).as_bytes(), 8192), Err(Fault::TooManyFields));
    let around = with("A: \r\n").len();
    let large = |bytes: usize| with(&format!("A: {}\r\n", "x".repeat(bytes - around)));
    assert!(read(large(MAX_HEAD_BYTES).as_bytes(), 8192).is_ok());
    assert_eq!(read(large(MAX_HEAD_BYTES + 1).as_bytes(), 8192), Err(Fault::TooLarge));
    let endless = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'x'; MAX_HEAD_BYTES]].concat();
    assert_eq!(read(&endless, 8192), Err(Fault::TooLarge));
}

#[test]
fn what_cannot_become_a_request_is_refused_before_its_end() {
    for (bytes, fault) in [
        ("\x16\x03\x01\x02\0\x01", Fault::RequestLine),
        ("{\"a\":", Fault::RequestLine),
        ("GET / HTTP/1.1\nHost", Fault::BareLineFeed),
        ("GET / HTTP/1.1\rHost", Fault::BareCarriageReturn),
    ] {
        assert_eq!(read(bytes.as_bytes(), 1), Err(fault), "{bytes:?}");
    }
    assert_eq!(blank_lines(b"\r\n\r\nGET"), Ok(4));
    assert_eq!(blank_lines(b"\r\n\r\n\r\n"), Err(Fault::RequestLine));
    assert_eq!(blank_lines(b"\n"), Ok(0));
}

#[test]
fn a_wish_for_another_protocol_is_taken_out() {
    let head = with("Connection: keep-alive,  Upgrade\r\nUPGRADE: websocket\r\nContent-Length: 5\r\n");
    let read = read(head.as_bytes(), 8192).unwrap().unwrap();
    assert_eq!(read.body, BodyLength::Known(5));
    let rewritten = String::from_utf8(read.rewritten.unwrap()).unwrap();
    assert_eq!(rewritten, with("connection: keep-alive\r\nContent-Length: 5\r\n"));
    assert_eq!(self::read(with("").as_bytes(), 8192).unwrap().unwrap().rewritten, None);
}

proptest! {
    /// Changes, removes or adds one byte of a valid head. The result is the same request with another value somewhere,
    /// or it is refused; its end never moves elsewhere.
    #[test]
    fn a_head_with_one_byte_wrong_ends_where_it_did_or_is_refused(
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"\r\n\0 \t:a\x0b\x7f\xff".to_vec()),
        how in 0..3_u8,
    ) {
        let good = with("Content-Length: 5\r\nX-Name: value\r\n").into_bytes();
        let mut bytes = good.clone();
        let at = at.index(good.len());
        match how {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
        let mut scanned = 0;
        if let Ok(Some(end)) = find_end(&bytes, &mut scanned) {
            // A line break before the last one now ends the head, and the remaining bytes come after it.
            let whole = end == bytes.len() || (how == 2 && end == good.len() && bytes.ends_with(b"\n\n"));
            prop_assert!(whole, "{end}: {:?}", String::from_utf8_lossy(&bytes));
            if let Ok(head) = parse(&bytes) {
                let same = matches!(head.body, BodyLength::Known(_));
                prop_assert!(same);
            }
        }
    }

    #[test]
    fn whatever_comes_is_read_the_same_in_any_pieces(
        parts in prop::collection::vec(prop::sample::select(vec![
            "GET / HTTP/1.1\r\n", "Host: a\r\n", "A: b\r\n", "\r\n", "\n", "\r", " ", "\t", ":", "x", "\0",
            "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n",
        ]), 0..12),
        piece in 1..20_usize,
    ) {
        let bytes = parts.concat().into_bytes();
        prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len().max(1)));
    }
}
