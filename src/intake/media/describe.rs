//! Names of formats that the gateway refuses, for the error message to the client.

use crate::domain::text::without_byte_order_mark;

/// Names the format of a refused file, if that is cheap to detect.
pub(super) fn describe(head: &[u8]) -> Option<&'static str> {
    const PREFIXES: &[(&[u8], &str)] = &[
        (b"FORM", "an IFF file other than AIFF"),
        (b"#!AMR", "AMR audio"),
        (b"MThd", "MIDI, which holds notes and no sound"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA or ASF)"),
        (b"caff", "a Core Audio file (CAF) of an unknown version"),
        (b".snd", "Sun audio (AU)"),
        (b"wvpk", "WavPack audio"),
        (b"MAC ", "Monkey's Audio"),
        (b"RIFX", "big-endian WAV (RIFX)"),
        (b"RIFF", "a RIFF file other than WAV"),
        (b"FLV", "Flash video"),
        (b"\x00\x00\x01\xba", "an MPEG program stream"),
        (b"\x0b\x77", "raw AC-3 audio"),
        // A WebM cluster: `MediaRecorder` puts the head of the stream only into its first piece.
        (b"\x1f\x43\xb6\x75", "a piece of WebM without its beginning; join the recorder's pieces in order"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"Rar!", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ];
    if let Some((_, name)) = PREFIXES.iter().find(|(prefix, _)| head.starts_with(prefix)) {
        return Some(name);
    }
    if matches!(head.get(4..8), Some(b"styp" | b"moof" | b"sidx")) {
        return Some("a piece of MP4 without its beginning; join the recorder's pieces in order");
    }
    // An ADTS header has MPEG's sync word and layer 0; no MPEG audio frame has layer 0.
    if let [0xff, second, ..] = head
        && second & 0xf6 == 0xf0
    {
        return Some("raw AAC (ADTS); put it into an m4a file");
    }
    text(head)
}

/// Names a kind of text.
fn text(head: &[u8]) -> Option<&'static str> {
    let head = without_byte_order_mark(head);
    // The window may end inside the last character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(err) if err.error_len().is_none() => std::str::from_utf8(head.get(..err.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let text = text.trim_start();
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    // A script that converts a Blob to a string, or puts it into a text field of a form, sends `[object Blob]` instead.
    if text.starts_with("[object ") && text.trim_end().ends_with(']') {
        return Some("the words [object …], which a script sends in the place of a Blob; append the Blob itself");
    }
    Some(if starts("<!doctype html") || starts("<html") {
        "an HTML page"
    } else if starts("<") {
        "XML text"
    } else if starts("{") || starts("[") {
        "JSON text"
    } else if starts("data:") {
        "a data: URL as text; send the bytes that it encodes"
    } else {
        "plain text"
    })
}
