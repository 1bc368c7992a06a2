use std::path::Path;

use super::beginning::container;
use super::*;
use crate::intake::media::Container;

#[test]
fn a_container_is_known_from_its_first_bytes_however_they_come() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media");
    let files = [
        ("live.wav", Container::Wav),
        ("opus.ogg", Container::Ogg),
        ("recorder.webm", Container::Webm),
        ("fragmented.mp4", Container::Mp4),
    ];
    for (name, expected) in files {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let known = (0..200).map(|count| container(&bytes[..count]).unwrap()).position(|found| found.is_some());
        assert!(known.is_some_and(|known| known <= 128), "{name}: {known:?}");
        let found: Vec<_> = (known.unwrap()..200).map(|count| container(&bytes[..count]).unwrap()).collect();
        assert!(found.iter().all(|found| *found == Some(expected)), "{name}");
    }
}

#[test]
fn bytes_that_can_become_no_recording_are_refused_at_once() {
    for bytes in
        [&b"f"[..], b"\x1b", b"\x1a\x46", b"RX", b"RIFF\0\0\0\0WAVX", b"\0\0\0\x0f", b"\0\0\0\x18fty_", b"\xff"]
    {
        assert!(matches!(container(bytes), Err(LiveMediaError::Beginning { .. })), "{bytes:?}");
        assert!(bytes.len() < 2 || matches!(container(&bytes[..bytes.len() - 1]), Ok(None)), "{bytes:?}");
    }
    let other = [b"\x1a\x45\xdf\xa3\xff", &[b'x'; 123][..]].concat();
    assert!(matches!(container(&other[..127]), Ok(None)));
    assert!(container(&other).is_err());
}
