//! Detection of files that players take for another format than their first bytes show.
//!
//! Providers decode with ffmpeg, which has each of its formats score a file and takes the format with the highest score.
//! Most formats examine the first bytes, as `detect` does. Some formats find their mark anywhere in the beginning, or at an
//! offset that other formats leave free, and score higher than WAV or MPEG frames can. The gateway would measure a file with
//! such a mark as one format while players play another, so it refuses the file. No recorder writes such marks by chance.
//!
//! The beginning is 2 KiB. If that does not settle the format, as for a file behind a tag, ffmpeg doubles it until it does,
//! up to 1 MiB (`av_probe_input_buffer2`).

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Container;

/// The number of bytes that ffmpeg probes first; [`MAX_PROBED`] is the most that it probes.
pub(super) const MIN_PROBED: u64 = 2048;
pub(super) const MAX_PROBED: u64 = 1024 * 1024;

/// The number of bytes examined at once. The last [`OVERLAP`] bytes, more than any mark spans, are examined again together
/// with the next piece.
const PIECE: usize = 64 * 1024;
const OVERLAP: usize = 2048;

/// Marks that count at any offset, the number of occurrences that ffmpeg needs, and the format that then plays.
const ANYWHERE: &[(&[u8], usize, &str)] = &[
    (b"NM\x7a\x56\x1f\x5f\x04\xad", 1, "a NUT file"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02", 1, "an MXF file"),
    (b"Interplay MVE File\x1a\0\x1a", 1, "an Interplay MVE file"),
    (b"\xf8\x72\x6f\xba", 50, "TrueHD audio"),
    (b"\xf8\x72\x6f\xbb", 50, "MLP audio"),
];
/// Marks like [`ANYWHERE`] that outscore only bare frames and FLAC with a damaged head.
const BESIDE_FRAMES: &[(&[u8], usize, &str)] = &[
    (b"NSVs", 1, "a Nullsoft video"),
    (IEC_61937, 2, "S/PDIF audio (IEC 61937)"),
    (b"\x00\x00\x01\xba", 3, "an MPEG program stream"),
    (b"\x00\x00\x01\xbd", 6, "an MPEG program stream"),
    (b"\x00\x00\x01\xc0", 6, "an MPEG program stream"),
];
/// Marks that count only at a fixed offset from the beginning.
const AT: &[(usize, &[u8], &str)] = &[
    (12, b"xobX", "an Xbox video (XMV)"),
    (65, b"FSSD", "Macintosh HCOM audio"),
    (213, b"Sega Stream", "a Sega stream"),
    (20, b"!Scream!", MODULE),
    (20, b"BMOD2STM", MODULE),
    (44, b"SCRM", MODULE),
    (44, b"PTMF", MODULE),
    (60, b"SONG", MODULE),
    (60, b"IM10", MODULE),
    (124, b"SO31", MODULE),
    (1464, b"MTN\0", MODULE),
    (1464, b"IT10", MODULE),
];
/// The name of a format that holds notes and samples, so that a few bytes play for hours.
const MODULE: &str = "a tracker module";
/// The offset of the code that names the kind of most tracker modules. In [`MODULE_CODES`], `?` stands for a digit.
const MODULE_CODE: usize = 1080;
const MODULE_CODES: &[&[u8; 4]] = &[
    b"M.K.", b"M!K!", b"M&K!", b"N.T.", b"NSMS", b"LARD", b"PATT", b"FEST", b"EXO?", b"FLT?", b"?CHN", b"??CH",
    b"??CN", b"TDZ?", b"CD?1", b"OKTA", b"OCTA", b"FA0?", b"M\0\0\0", b"8\0\0\0", b"M..K",
];
/// The preamble of a burst of compressed audio on a PCM link, as 16-bit samples in a file (IEC 61937-1 §6.1).
pub(super) const IEC_61937: &[u8] = b"\x72\xf8\x1f\x4e";

/// Returns the name of the format for which players take the file, or `None` if they take it for `container`, the format of
/// its first bytes from `start`. Players probe `probed` bytes.
pub(super) fn other_format<S: Read + Seek>(
    source: &mut S,
    (container, start): (Container, u64),
    probed: u64,
) -> io::Result<Option<&'static str>> {
    // If the tag is larger than the bytes that players probe, they probe the tag.
    let probed_from = if start.saturating_add(16) < MAX_PROBED { start } else { 0 };
    source.seek(SeekFrom::Start(probed_from))?;
    let mut rest = source.by_ref().take(probed);
    let mut piece = Vec::with_capacity(usize::try_from(probed).unwrap_or(PIECE).min(PIECE));
    let bare_frames = matches!(container, Container::Mp3 | Container::Flac);
    let mut marks = MarkCounts { bare_frames, counts: Default::default() };
    loop {
        let kept = piece.len();
        let wanted = u64::try_from(PIECE.saturating_sub(kept)).unwrap_or(u64::MAX);
        let is_first = kept == 0;
        let at_end = u64::try_from(rest.by_ref().take(wanted).read_to_end(&mut piece)?).unwrap_or(0) < wanted;
        if is_first && let Some(found) = marks_in_place(&piece) {
            return Ok(Some(found));
        }
        // A mark that begins in the overlap is examined together with the bytes that follow it.
        let fresh = if at_end { piece.len() } else { piece.len().saturating_sub(OVERLAP) };
        if let Some(found) = marks.add(&piece, fresh) {
            return Ok(Some(found));
        }
        // Behind a tag, ffmpeg may probe enough bytes for the packets of a transport stream to outscore WAV.
        if (bare_frames || start > 0) && has_transport_packets(&piece) {
            return Ok(Some("an MPEG transport stream"));
        }
        if at_end {
            break;
        }
        piece.drain(..fresh);
    }
    let found = container == Container::Mp3 && leads_to_box(source, (start, probed), &[SURE_BOXES, LIKELY_BOXES])?;
    Ok(found.then_some("an MP4 file behind something else"))
}

/// Returns true if players recognise an MP4 file by its first kilobytes.
pub(super) fn is_surely_mp4<S: Read + Seek>(source: &mut S) -> io::Result<bool> {
    leads_to_box(source, (0, MIN_PROBED), &[SURE_BOXES])
}

/// The searches for the marks of [`ANYWHERE`] and, after those, of [`BESIDE_FRAMES`].
static FINDERS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| ANYWHERE.iter().chain(BESIDE_FRAMES).map(|(mark, ..)| Finder::new(*mark)).collect());

/// The number of occurrences of each mark so far.
struct MarkCounts {
    bare_frames: bool,
    counts: [usize; ANYWHERE.len() + BESIDE_FRAMES.len()],
}

impl MarkCounts {
    /// Counts the marks that begin in the first `fresh` bytes of `piece`, and returns the name of a format with enough of them.
    fn add(&mut self, piece: &[u8], fresh: usize) -> Option<&'static str> {
        let more = if self.bare_frames { BESIDE_FRAMES } else { &[] };
        let mut found = None;
        for (((_, needed, name), finder), count) in ANYWHERE.iter().chain(more).zip(&*FINDERS).zip(&mut self.counts) {
            *count += finder.find_iter(piece).take_while(|at| *at < fresh).take(*needed).count();
            if *count >= *needed {
                found = found.or(Some(*name));
            }
        }
        found
    }
}

fn marks_in_place(beginning: &[u8]) -> Option<&'static str> {
    let has = |at: usize, mark: &[u8]| beginning.get(at..).is_some_and(|rest| rest.starts_with(mark));
    if let Some((.., name)) = AT.iter().find(|(at, mark, _)| has(*at, mark)) {
        return Some(name);
    }
    let code = beginning.get(MODULE_CODE..).and_then(<[u8]>::first_chunk::<4>);
    let is = |code: &[u8; 4], pattern: &[u8; 4]| {
        code.iter().zip(pattern).all(|(byte, wanted)| byte == wanted || *wanted == b'?' && byte.is_ascii_digit())
    };
    if code.is_some_and(|code| MODULE_CODES.iter().any(|pattern| is(code, pattern))) {
        return Some(MODULE);
    }
    // Dictation machines reserve a sector for the header, most of it zeros.
    let zeros =
        |from: usize, to: usize| beginning.get(from..to).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let is_dictation = has(256, &[0x84]) && zeros(44, 256) && zeros(264, 512);
    is_dictation.then_some("an ACT recording (G.729)")
}

/// Returns true if `bytes` hold consecutive packets of 188 bytes (192 or 204 with the bytes that some recorders add), each
/// with its mark.
fn has_transport_packets(bytes: &[u8]) -> bool {
    const MARK: u8 = 0x47;
    const PACKETS: usize = 7;
    // A header has a mark, and flags that declare a packet that is not empty.
    let is_head = |at: usize| bytes.get(at) == Some(&MARK) && bytes.get(at + 3).is_some_and(|flags| flags & 0x30 != 0);
    memchr::memchr_iter(MARK, bytes)
        .any(|at| [188, 192, 204].iter().any(|size| (0..PACKETS).all(|n| is_head(at + n * size))))
}

/// Boxes by which ffmpeg recognises an MP4 file. With [`LIKELY_BOXES`], a format with a higher score wins.
const SURE_BOXES: &[&[u8; 4]] =
    &[b"moov", b"mdat", b"pnot", b"udta", b"ftyp", b"ediw", b"wide", b"free", b"junk", b"pict"];
const LIKELY_BOXES: &[&[u8; 4]] = &[b"skip", b"uuid", b"prfl", b"\x82\x82\x7f\x7d"];

/// Returns true if a walk over boxes of any name, from `start` and within `probed` bytes, leads to one of `wanted`. The walk
/// follows ffmpeg's probe (`mov_probe`), which moves on by four bytes where there is no box.
fn leads_to_box<S: Read + Seek>(
    source: &mut S,
    (start, probed): (u64, u64),
    wanted: &[&[&[u8; 4]]],
) -> io::Result<bool> {
    /// The maximum number of steps: more than any file needs, and few enough to be cheap.
    const MAX_STEPS: usize = 1024;
    let mut at = 0_u64;
    for _ in 0..MAX_STEPS {
        if at.saturating_add(8) > probed {
            return Ok(false);
        }
        let mut header = Vec::with_capacity(16);
        source.seek(SeekFrom::Start(start.saturating_add(at)))?;
        source.by_ref().take(16).read_to_end(&mut header)?;
        let (Some(&[a, b, c, d, code @ ..]), large) = (header.first_chunk::<8>(), header.get(8..16)) else {
            return Ok(false);
        };
        let (size, min_size) = match (u32::from_be_bytes([a, b, c, d]), large.and_then(<[u8]>::first_chunk)) {
            (1, Some(large)) => (u64::from_be_bytes(*large), 16),
            // The box extends to the end of the file.
            (0, _) => (u64::MAX, 8),
            (size, _) => (u64::from(size), 8),
        };
        if size < min_size {
            at += 4;
            continue;
        }
        if wanted.iter().any(|boxes| boxes.contains(&&code)) {
            return Ok(true);
        }
        at = at.saturating_add(size);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn taken_for(container: Container, start: u64, bytes: &[u8]) -> Option<&'static str> {
        other_format(&mut Cursor::new(bytes), (container, start), MAX_PROBED).unwrap()
    }

    /// Returns filler bytes with `times` copies of `mark` at offset `at`.
    fn file(at: usize, mark: &[u8], times: usize) -> Vec<u8> {
        [vec![0x33; at], mark.repeat(times), vec![0x33; 300_000 - at]].concat()
    }

    #[test]
    fn marks_are_found_wherever_they_are() {
        for (marks, container) in [(ANYWHERE, Container::Wav), (BESIDE_FRAMES, Container::Mp3)] {
            for (mark, enough, name) in marks {
                for at in [0, 1, 63 * 1024, 64 * 1024 - 3, 64 * 1024, 200_000] {
                    assert_eq!(taken_for(container, 0, &file(at, mark, *enough)), Some(*name), "{name} at {at}");
                    assert_eq!(taken_for(container, 0, &file(at, mark, *enough - 1)), None, "{name} at {at}");
                }
            }
        }
    }

    #[test]
    fn marks_in_their_places_are_found_there() {
        for (at, mark, name) in AT {
            assert_eq!(taken_for(Container::Wav, 0, &file(*at, mark, 1)), Some(*name));
            assert_eq!(taken_for(Container::Wav, 0, &file(*at + 1, mark, 1)), None);
        }
        for code in [b"M.K.", b"6CHN", b"32CH", b"FLT8"] {
            assert_eq!(taken_for(Container::Mp3, 0, &file(1_080, code, 1)), Some(MODULE));
        }
        assert_eq!(taken_for(Container::Mp3, 0, &file(1_080, b"xCHN", 1)), None);
        let mut act = vec![0; 600];
        assert_eq!(taken_for(Container::Wav, 0, &act), None);
        act[256] = 0x84;
        assert_eq!(taken_for(Container::Wav, 0, &act), Some("an ACT recording (G.729)"));
    }

    #[test]
    fn packets_of_a_transport_stream_are_found_behind_a_tag_and_among_frames() {
        for size in [188, 192, 204] {
            let mut packet = vec![0x33; size];
            packet[..4].copy_from_slice(&[0x47, 0x40, 0, 0x10]);
            let stream = file(70_000, &packet, 12);
            assert_eq!(taken_for(Container::Mp3, 0, &stream), Some("an MPEG transport stream"));
            assert_eq!(taken_for(Container::Wav, 10, &stream), Some("an MPEG transport stream"));
            assert_eq!(taken_for(Container::Wav, 0, &stream), None);
            assert_eq!(taken_for(Container::Mp3, 0, &file(70_000, &packet, 6)), None);
        }
        assert_eq!(taken_for(Container::Mp3, 0, &[0x47; 9_999]), None);
    }

    #[test]
    fn an_mp4_is_known_by_the_boxes_in_its_first_kilobytes() {
        let begins = |codes: &[(&[u8; 4], u32)]| {
            let boxes = codes.iter().map(|(code, size)| {
                [&size.to_be_bytes()[..], *code, &vec![0; (*size as usize).saturating_sub(8)]].concat()
            });
            is_surely_mp4(&mut Cursor::new(boxes.collect::<Vec<_>>().concat())).unwrap()
        };
        assert!(
            begins(&[(b"ftyp", 24)])
                && begins(&[(b"skip", 900), (b"free", 8)])
                && begins(&[(b"abcd", 99), (b"moov", 99)])
        );
        assert!(!begins(&[(b"skip", 9_000), (b"moov", 99)]) && !begins(&[(b"ftyp", 2)]) && !begins(&[(b"uuid", 99)]));
    }

    #[test]
    fn boxes_lead_to_an_mp4() {
        let stuffed =
            |code: &[u8; 4], size: u32| [&size.to_be_bytes()[..], code, &vec![0x33; size as usize - 8]].concat();
        for code in [b"uuid", b"junk", b"moov", b"ftyp"] {
            for before in [vec![], stuffed(b"abcd", 255), stuffed(b"\xff\xfb\x90\x00", 700), vec![0, 0, 0, 3]] {
                let bytes = [before, stuffed(code, 100)].concat();
                assert!(taken_for(Container::Mp3, 0, &bytes).is_some(), "{code:?}");
                assert_eq!(taken_for(Container::Flac, 0, &bytes), None);
            }
        }
        assert_eq!(taken_for(Container::Mp3, 0, &stuffed(b"abcd", 255)), None);
        assert!(taken_for(Container::Mp3, 0, &[0, 0, 0, 2].repeat(9_999)).is_some());
    }
}
