use proptest::prelude::*;

use super::*;

const NO_LIMIT: usize = 1 << 20;

/// Scans a stream in pieces of this size. Returns its events, and the bytes left at its end.
fn scan(stream: &[u8], piece: usize) -> (Vec<Event>, Option<Event>) {
    let (mut scanner, mut events) = (Scanner::new(NO_LIMIT), Vec::new());
    for piece in stream.chunks(piece) {
        scanner.push(Bytes::copy_from_slice(piece), &mut events).unwrap();
    }
    (events, scanner.finish())
}

fn data_of_all(events: &[Event]) -> Vec<Bytes> {
    events.iter().filter_map(Event::data).collect()
}

/// Applies the standard's algorithm, line by line over the whole stream.
fn data_by_the_standard(stream: &str) -> Vec<Bytes> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
    let (complete, _) = stream.rsplit_once('\n').unwrap_or_default();
    let (mut dispatched, mut data) = (Vec::new(), String::new());
    for line in complete.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match (line, field) {
            ("", _) => {
                dispatched.extend(data.strip_suffix('\n').map(|data| Bytes::copy_from_slice(data.as_bytes())));
                data.clear();
            }
            (_, "data") => {
                data.push_str(value.strip_prefix(' ').unwrap_or(value));
                data.push('\n');
            }
            _ => {}
        }
    }
    dispatched
}

#[test]
fn every_framing_is_understood_and_kept() {
    for stream in [
        "data: {\"a\":1}\n\ndata: [DONE]\n\n",
        "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
        "data:{\"a\":1}\r\rdata:[DONE]\r\r",
        "\u{feff}event: delta\nid: 7\ndata: {\"a\":1}\n\n: ping\n\nevent: done\r\ndata: [DONE]\n\r\n",
    ] {
        for piece in 1..=stream.len() {
            let (events, left) = scan(stream.as_bytes(), piece);
            assert_eq!(data_of_all(&events), ["{\"a\":1}", "[DONE]"], "{stream:?} in pieces of {piece}");
            assert_eq!(events.iter().flat_map(Event::raw).copied().collect::<Vec<_>>(), stream.as_bytes());
            assert_eq!(events.iter().filter(|event| event.is_done_marker()).count(), 1);
            assert!(left.is_none());
        }
    }
}

#[test]
fn an_event_is_out_with_its_blank_line_and_does_not_wait_for_more() {
    let (mut scanner, mut events) = (Scanner::new(NO_LIMIT), Vec::new());
    scanner.push(Bytes::from_static(b"data: a\r\n\r"), &mut events).unwrap();
    assert_eq!(data_of_all(&events), ["a"]);
    scanner.push(Bytes::from_static(b"\ndata: b\r\n\r\n"), &mut events).unwrap();
    assert_eq!(data_of_all(&events), ["a", "b"]);
    let raw: Vec<_> = events.iter().map(|event| event.raw().clone()).collect();
    assert_eq!(raw, ["data: a\r\n\r", "\n", "data: b\r\n\r\n"]);
}

#[test]
fn data_follows_the_standard() {
    for (event, data) in [
        ("data: two\ndata: lines\n\n", Some("two\nlines")),
        ("data\n\n", Some("")),
        ("data\ndata:\n\n", Some("\n")),
        ("data:  one space goes\n\n", Some(" one space goes")),
        ("data: a:b\n\n", Some("a:b")),
        ("database: no\n\n", None),
        ("event: error\n\n", None),
        (" data: no\n\n", None),
        ("\n", None),
    ] {
        let (events, _) = scan(event.as_bytes(), NO_LIMIT);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].data(), data.map(Bytes::from), "{event:?}");
    }
}

#[test]
fn an_event_may_have_an_id() {
    for (event, id) in [
        ("id: 7\ndata: x\n\n", Some("7")),
        ("data: x\nid:abc\n\n", Some("abc")),
        ("id: 7\nid: 8\ndata: x\n\n", Some("8")),
        ("id\ndata: x\n\n", None),
        ("idle: 7\ndata: id: 7\n\n", None),
    ] {
        let (events, _) = scan(event.as_bytes(), NO_LIMIT);
        assert_eq!(events[0].id(), id, "{event:?}");
    }
}

#[test]
fn comments_are_told_from_events() {
    let (events, _) = scan(b": ping\n\n\n:\n: pong\n\nevent: x\n\ndata: y\n\n", NO_LIMIT);
    let comments: Vec<_> = events.iter().map(Event::is_comment_only).collect();
    assert_eq!(comments, [true, true, true, false, false]);
}

#[test]
fn what_a_broken_stream_leaves_is_given_back() {
    let (events, left) = scan(b"data: a\n\ndata: b\n", 4);
    assert_eq!(events.len(), 1);
    let left = left.unwrap();
    assert_eq!((&left.raw()[..], left.data()), (&b"data: b\n"[..], Some(Bytes::from("b"))));
}

#[test]
fn an_event_over_the_limit_is_refused_after_those_before_it() {
    let limit = "data: 456\n\n".len();
    for piece in 1..40 {
        let (mut scanner, mut events) = (Scanner::new(limit), Vec::new());
        let mut pieces = b"data: 456\n\ndata: 4567\n\n".chunks(piece);
        let refused = pieces.find_map(|piece| scanner.push(Bytes::copy_from_slice(piece), &mut events).err());
        assert_eq!(refused, Some(EventTooLarge { limit }));
        assert_eq!(data_of_all(&events), ["456"]);
    }
}

#[test]
fn debug_shows_no_speech() {
    let (events, _) = scan(b"data: secret\n\n", NO_LIMIT);
    assert_eq!(format!("{:?}", events[0]), "Event { bytes: 14, .. }");
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces_gives_the_standards_data_and_its_own_bytes(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\n", "\r", "\r\n", "\r\n", "data", "data:", "data: x", "data: {\"y\":1}", ":", ": ping", "event: e",
                "id:1", " ", "é", "\u{feff}",
            ]),
            0..40,
        ),
        marked: bool,
        piece in 1..12_usize,
    ) {
        // After a byte order mark, the scanner sees an empty line as not blank; the standard yields no event either
        // way.
        let stream = if marked { "\u{feff}" } else { "" }.to_owned() + &parts.concat();
        let (events, left) = scan(stream.as_bytes(), piece);
        prop_assert_eq!(data_of_all(&events), data_by_the_standard(&stream));
        let raw: Vec<u8> = events.iter().chain(&left).flat_map(Event::raw).copied().collect();
        prop_assert_eq!(raw, stream.as_bytes());
    }
}
