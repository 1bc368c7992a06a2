//! Bytes that are no audio, and the right ones after them.

use proptest::prelude::*;

use super::webm::{Blocks, Cut};
use super::*;
use crate::speech::testing::voice;

const TEXT: &[u8] = b"{\"error\": \"this is no audio at all\", \"and\": \"goes on for some time\"}";

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

async fn refused(session: &mut Session, bytes: &[u8]) -> String {
    match session.try_push(bytes).await {
        Err(LiveSoundError::NotAudio { reason }) => reason,
        other => panic!("{other:?} for {:?}", &bytes[..bytes.len().min(20)]),
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_live_is_refused_by_name() {
    let ftyp = b"\0\0\0\x14ftypheic\0\0\0\0heic";
    let named: [(&[u8], &str); 12] = [
        (&media("cbr.mp3"), "MP3"),
        (&media("speech.flac"), "FLAC"),
        (&media("aac.m4a"), "sound before its first fragment"),
        (TEXT, "JSON text"),
        (b"<html><body>", "an HTML page"),
        (&[0; 64], "zeros"),
        (b"\x1f\x43\xb6\x75\x01", "a piece of WebM without its beginning"),
        (b"\0\0\0\x18moof....", "a piece of MP4 without its beginning"),
        (b"\xff\xf1\x50\x80\x00\x1f\xfc", "raw AAC"),
        (ftyp, "HEIF"),
        (&noise(500, 1), "bytes in no known format"),
        (&media("ac3.mka"), "cannot be decoded"),
    ];
    for (bytes, name) in named {
        let mut session = Session::new(LiveFormat::Auto);
        let reason = refused(&mut session, bytes).await;
        assert!(reason.contains(name), "{reason}");
        // The right recording can still come.
        let right = media("opus.ogg");
        session.push(&right).await;
        session.finish().await;
        assert_eq!(session.audio(), u64::try_from(whole(&right).len()).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_beginning_waits_only_while_it_can_become_a_recording() {
    let mut session = Session::new(LiveFormat::Auto);
    session.push(b"O").await;
    session.push(b"gg").await;
    refused(&mut session, b"s").await;
    session.push(b"S").await;
    let ogg = media("opus.ogg");
    session.push(&ogg[4..]).await;
    session.finish().await;
    assert_eq!(session.audio(), u64::try_from(whole(&ogg).len()).unwrap());
    let mut session = Session::new(LiveFormat::Auto);
    session.push(&[0, 0, 0]).await;
    refused(&mut session, &[0]).await;
}

#[tokio::test]
async fn garbage_between_pieces_is_refused_and_the_right_bytes_go_on() {
    let sound = voice(16_000 * 3);
    let garbage = [TEXT.to_vec(), vec![0; 300], vec![0xff; 4000], noise(2000, 5), noise(100_000, 6), media("cbr.mp3")];
    let recorded = webm::of(&sound, Blocks { packets: 3, cut: Cut::Unknown });
    let webm_pieces = [vec![recorded.head], recorded.blocks].concat();
    let ogg = media("opus.ogg");
    let ogg_pieces: Vec<_> = ogg_pages(&ogg).into_iter().map(<[u8]>::to_vec).collect();
    let known = webm::of(&sound, Blocks { packets: 3, cut: Cut::Known });
    let known_pieces = [vec![known.head], known.blocks].concat();
    for (name, pieces) in [("webm", webm_pieces), ("ogg", ogg_pieces), ("known", known_pieces)] {
        let mut session = Session::new(LiveFormat::Auto);
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                let bad = &garbage[index % garbage.len()];
                let reason = refused(&mut session, bad).await;
                assert!(reason.contains("do not continue") || reason.contains("begins as"), "{name}: {reason}");
            }
            session.push(piece).await;
        }
        session.finish().await;
        assert_eq!(session.audio(), u64::try_from(whole(&pieces.concat()).len()).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn garbage_between_fragments_is_refused_and_the_right_bytes_go_on() {
    let mp4 = media("fragmented.mp4");
    let mut session = Session::new(LiveFormat::Auto);
    let boxes = mp4_boxes(&mp4);
    assert!(boxes.len() > 6);
    for (index, piece) in boxes.iter().enumerate() {
        if index > 0 {
            for bad in [TEXT, &[0; 40], &[7; 4000]] {
                refused(&mut session, bad).await;
            }
        }
        session.push(piece).await;
    }
    session.finish().await;
    assert_eq!(session.audio(), u64::try_from(whole(&mp4).len()).unwrap());
}

#[tokio::test]
async fn garbage_inside_a_block_is_refused_if_it_goes_beyond_it() {
    let sound = voice(16_000 * 3);
    let bytes = webm::of(&sound, Blocks { packets: 3, cut: Cut::Unknown }).joined();
    let mut session = Session::new(LiveFormat::Auto);
    for piece in bytes.chunks(997) {
        if session.heard.audio > Samples::default() {
            refused(&mut session, &noise(5000, 3)).await;
        }
        session.push(piece).await;
    }
    session.finish().await;
    assert_eq!(session.audio(), u64::try_from(whole(&bytes).len()).unwrap());
}

#[tokio::test]
async fn a_recording_that_stays_lost_goes_on_behind_its_damage() {
    let sound = voice(16_000 * 8);
    let file = webm::of(&sound, Blocks { packets: 3, cut: Cut::Unknown });
    let mut session = Session::new(LiveFormat::Auto);
    session.push(&file.head).await;
    session.push(&file.blocks[0]).await;
    // The beginning of a large block, which nobody can tell from a right one.
    session.push(b"\xa3\x10\x00\x10\x00\x81\0\0\x80").await;
    let (mut refusals, mut heard) = (0, session.audio());
    for block in &file.blocks[1..] {
        match session.try_push(block).await {
            Ok(_) => {}
            Err(LiveSoundError::NotAudio { .. }) => refusals += 1,
            Err(other) => panic!("{other}"),
        }
        heard = heard.max(session.audio());
    }
    // Some bytes of the block in the middle look like the beginning of another.
    assert!(refusals <= 16 && heard > 16_000 * 4, "{refusals} refused, {heard} heard");
}

#[tokio::test]
async fn damage_after_sound_was_heard_is_final_and_leaves_the_last_turn() {
    // A second track that cannot be decoded begins after sound.
    let sound = voice(16_000 * 2);
    let first = webm::of(&sound, Blocks { packets: 1, cut: Cut::Unknown }).joined();
    let mut second = first.clone();
    let at = second.windows(6).position(|name| name == b"A_OPUS").unwrap();
    second[at..at + 6].copy_from_slice(b"A_WHAT");
    let mut session = Session::new(LiveFormat::Auto);
    session.push(&first).await;
    let error = session.try_push(&second).await.unwrap_err();
    assert!(matches!(error, LiveSoundError::Unusable { .. }), "{error}");
    assert!(matches!(session.try_push(&first).await, Err(LiveSoundError::BrokeOff)));
    assert_eq!(session.finish().await, 1);
}

/// A recording of which some bytes are others, some are missing, and some come twice.
fn any_damage() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let name = prop::sample::select(vec!["live.wav", "opus.ogg", "vorbis.ogg", "recorder.webm", "fragmented.mp4"]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, 1..200_usize, any::<u8>()), 1..8);
    (name, edits, prop::collection::vec(1..3000_usize, 1..5)).prop_map(|(name, edits, sizes)| {
        let mut bytes = media(name);
        for (at, kind, count, byte) in edits {
            let from = at.index(bytes.len());
            let to = (from + count).min(bytes.len());
            match kind {
                0 => bytes[from] = byte,
                1 => bytes[from..to].fill(byte),
                2 => drop(bytes.drain(from..to)),
                _ => {
                    let again = bytes[from..to].to_vec();
                    bytes.splice(from..from, again);
                }
            }
        }
        (bytes, sizes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damage_ends_in_turns_or_errors((bytes, sizes) in any_damage()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut session = Session::new(LiveFormat::Auto);
            for piece in pieces(&bytes, &sizes) {
                match session.try_push(piece).await {
                    Ok(_) | Err(LiveSoundError::NotAudio { .. }) => {}
                    Err(LiveSoundError::Unusable { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
                assert!(session.sound.held_bytes() < 200 * 1024);
            }
            session.finish().await;
            assert!(session.heard.decided == session.heard.audio);
        });
    }
}

fn ogg_pages(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<_> = memchr::memmem::find_iter(bytes, b"OggS").chain([bytes.len()]).collect();
    starts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn mp4_boxes(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut boxes) = (bytes, Vec::new());
    while let Some(size) = rest.first_chunk().copied().map(u32::from_be_bytes) {
        let (one, after) = rest.split_at(usize::try_from(size).unwrap().min(rest.len()));
        boxes.push(one);
        rest = after;
    }
    boxes
}
