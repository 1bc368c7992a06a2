//! What people do to recordings: cut them, join them, tag them, pad them.

use super::Case;
use super::formats::Format;

const TAIL: usize = 60_000;

/// All that is done to `bytes`, a recording in `format`.
pub(crate) fn of(format: &Format, bytes: &[u8]) -> Vec<Case> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let mpeg = format.ending == "mp3" || format.ending == "mp2";
    let flac = starts(b"fLaC");
    let wav = starts(b"RIFF") || starts(b"RF64");
    let ogg = starts(b"OggS");
    let webm = starts(b"\x1a\x45\xdf\xa3");
    let mp4 = bytes.get(4..8) == Some(b"ftyp");
    let index_first = mp4 && find(bytes, b"moov") < find(bytes, b"mdat");

    let mut cases = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| {
        cases.push(Case { name: format!("{}, {what}", format.name), bytes, honest: true });
    };
    // Frames of a second and more: one that is cut off counts in full.
    let long_frames = ["mkv tta", "mkv wavpack"].contains(&format.name);
    // ffmpeg writes the packet table of a CAF after the sound.
    let has_table_last = bytes.starts_with(b"caff") && find(bytes, b"pakt") > find(bytes, b"data");
    if (!mp4 || index_first) && !has_table_last && !long_frames {
        add("cut at two thirds", bytes[..bytes.len() * 2 / 3].to_vec());
        add("cut at a third", bytes[..bytes.len() / 3].to_vec());
    }
    if !mp4 && !wav {
        add("joined to itself", [bytes, bytes].concat());
    }
    add("zeros behind", [bytes, &vec![0; TAIL]].concat());
    if !webm {
        add("0xff behind", [bytes, &vec![0xff; TAIL]].concat());
    }
    if mpeg || flac {
        add("an ID3v2 tag in front", [&id3v2(), bytes].concat());
        // ffmpeg does not find FLAC behind two.
        if mpeg {
            add("two ID3v2 tags in front", [&id3v2(), &id3v2(), bytes].concat());
        }
        add("ID3v1 behind", [bytes, &id3v1()].concat());
        // ffmpeg does not know MP2 by less than its beginning.
        if format.ending == "mp3" {
            let tail = &bytes[bytes.len() / 3..];
            add("cut in front", tail.to_vec());
            add("cut in front, ID3v1 behind", [tail, &id3v1()].concat());
        }
        add("APE behind", [bytes, &ape()].concat());
        add("APE and ID3v1 behind", [bytes, &ape()[..], &id3v1()].concat());
        add("Lyrics3 behind", [bytes, &lyrics3()[..], &id3v1()].concat());
        add("an ID3v2 tag behind", [bytes, &id3v2()].concat());
        add("joined with covers", [&id3v2(), bytes, &id3v2(), bytes].concat());
    }
    if wav {
        add("an ID3v2 tag in front", [&id3v2(), bytes].concat());
        let list = [b"LIST", &40_000_u32.to_le_bytes()[..], b"INFO", &noise(39_996)].concat();
        add("a list behind", [bytes, &list].concat());
        if starts(b"RIFF") {
            let data = find(bytes, b"data").unwrap();
            add("a list in front", [&bytes[..data], &list, &bytes[data..]].concat());
        }
    }
    if ogg {
        add("an ID3v2 tag in front", [&id3v2(), bytes].concat());
    }
    if mp4 {
        let free = [&40_008_u32.to_be_bytes()[..], b"free", &noise(40_000)].concat();
        add("a free box behind", [bytes, &free].concat());
    }
    cases
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Bytes that are like a picture's: anything, the same each time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A tag with a cover of 40 000 bytes.
fn id3v2() -> Vec<u8> {
    const COVER: usize = 40_000;
    let frame = [b"APIC", &u32::try_from(COVER).unwrap().to_be_bytes()[..], &[0, 0], &noise(COVER)].concat();
    let size = u32::try_from(frame.len()).unwrap();
    let synchsafe = [size >> 21, size >> 14, size >> 7, size].map(|part| u8::try_from(part & 0x7f).unwrap());
    [b"ID3\x03\0\0", &synchsafe[..], &frame].concat()
}

fn id3v1() -> Vec<u8> {
    let mut tag = b"TAGInterview".to_vec();
    tag.resize(128, 0);
    tag
}

fn ape() -> Vec<u8> {
    let text = [&3_000_u32.to_le_bytes()[..], &0_u32.to_le_bytes(), b"Lyrics\0", &[b'x'; 3_000]].concat();
    let size = u32::try_from(text.len() + 32).unwrap();
    let ends = |flags: u32| {
        let numbers = [2_000, size, 1, flags].map(u32::to_le_bytes).concat();
        [b"APETAGEX", &numbers[..], &[0; 8]].concat()
    };
    [&ends(0xa000_0000)[..], &text, &ends(0x8000_0000)].concat()
}

fn lyrics3() -> Vec<u8> {
    let body = format!("LYRICSBEGININD0000200LYR01000{}", "la ".repeat(333));
    format!("{body}{:06}LYRICS200", body.len()).into_bytes()
}
