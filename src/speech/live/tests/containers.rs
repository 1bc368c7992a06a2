//! Recordings in a container, cut into pieces anywhere.

use super::webm::{Blocks, Cut};
use super::*;
use crate::intake::media::{Codec, Container, LivePackets};
use crate::speech::decode::{LiveBlock, LiveReader};
use crate::speech::testing::voice;

const LIVE: &[(&str, Container, &str)] = &[
    ("live.wav", Container::Wav, "pcm_s16le"),
    ("mulaw.wav", Container::Wav, "pcm_mulaw"),
    ("opus.ogg", Container::Ogg, "opus"),
    ("vorbis.ogg", Container::Ogg, "vorbis"),
    ("live.webm", Container::Webm, "opus"),
    ("opus.webm", Container::Webm, "opus"),
    ("recorder.webm", Container::Webm, "opus"),
    ("fragmented.mp4", Container::Mp4, "aac"),
];

/// Decodes all of `bytes`, which come in pieces of these sizes, over and over.
pub(super) fn live_samples(reader: &mut LiveReader, bytes: &[u8], sizes: &[usize]) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut read = |reader: &mut LiveReader| {
        while let LiveBlock::Samples(block) = reader.next().unwrap() {
            samples.extend_from_slice(block);
        }
    };
    for piece in pieces(bytes, sizes) {
        reader.push(piece);
        read(reader);
        reader.trim();
    }
    reader.end();
    read(reader);
    samples
}

fn reader() -> LiveReader {
    LiveReader::new(LivePackets::detected(), AudioMs::new(60_000))
}

#[test]
fn pieces_cut_anywhere_sound_as_the_whole_recording() {
    for (name, container, codec) in LIVE {
        let bytes = media(name);
        let expected = live_samples(&mut reader(), &bytes, &[bytes.len()]);
        let file = whole(&bytes);
        assert_eq!(expected.len(), file.len(), "{name}");
        // What must be resampled is filtered with less delay, and a little less sharply.
        let far = expected.iter().zip(&file).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(far < 0.02, "{name}: {far}");
        for sizes in [&[1][..], &[2, 3, 5, 7], &[100], &[1000, 1], &[4093]] {
            let mut reader = reader();
            let samples = live_samples(&mut reader, &bytes, sizes);
            assert!(samples == expected, "{name} {sizes:?}: {} of {}", samples.len(), expected.len());
            let (found, found_codec) = reader.media().unwrap();
            assert_eq!((found, found_codec.map(Codec::name)), (*container, Some(*codec)));
        }
    }
}

#[test]
fn two_pieces_cut_at_any_byte_sound_as_one() {
    for name in ["opus.ogg", "recorder.webm", "fragmented.mp4"] {
        let bytes = media(name);
        let bytes = &bytes[..bytes.len().min(4000)];
        let expected = live_samples(&mut reader(), bytes, &[bytes.len()]);
        // A sample of the bytes of the header, and of the rest.
        for at in (1..300).step_by(3).chain((300..bytes.len()).step_by(97)) {
            let samples = live_samples(&mut reader(), bytes, &[at, bytes.len()]);
            assert!(samples == expected, "{name} {at}");
        }
    }
}

#[test]
fn a_wav_file_of_unknown_or_false_size_is_heard_whole() {
    let sound = voice(40_000);
    let expected: Vec<f32> = sound.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    for size in [0, u32::MAX, 80_000, 4_000_000, u32::MAX - 7] {
        let bytes = wav(16_000, 1, size, size, &sound);
        assert!(live_samples(&mut reader(), &bytes, &[999]) == expected, "{size}");
    }
    // A size that is too small is followed by more sound, which is no chunk.
    let loud: Vec<i16> = (0..40_000_i32).map(|at| i16::try_from(at % 100 + 200).unwrap()).collect();
    let bytes = wav(16_000, 1, 100, 64, &loud);
    assert_eq!(live_samples(&mut reader(), &bytes, &[999]).len(), 40_000);
}

/// Returns the samples heard before each piece.
fn heard_by_piece<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<usize> {
    let (mut reader, mut heard, mut all) = (reader(), 0, Vec::new());
    for piece in pieces {
        reader.push(piece);
        while let LiveBlock::Samples(block) = reader.next().unwrap() {
            heard += block.len();
        }
        all.push(heard);
    }
    all
}

#[test]
fn every_packet_is_heard_with_the_piece_that_completes_it() {
    let sound = voice(16_000 * 4);
    // Each piece is one block of 20 ms; the last packet is held back, since its end may be padding.
    let file = webm::of(&sound, Blocks { packets: 1, cut: Cut::Unknown });
    let pieces = std::iter::once(&file.head[..]).chain(file.blocks.iter().map(|block| &block[..]));
    let heard = heard_by_piece(pieces);
    for (index, heard) in heard.iter().enumerate().skip(3) {
        let sent = index * 320;
        assert!(sent - heard <= 320 + 320, "{heard} of {sent} samples in piece {index}");
    }
    // A page of Ogg is heard once it is whole, not once the next has come.
    let ogg = media("opus.ogg");
    let heard = heard_by_piece(std::iter::once(&ogg[..]));
    assert!(heard[0] > 39_000, "{heard:?}");
    // Packets of a fragment are heard before the fragment is whole.
    let mp4 = media("fragmented.mp4");
    let heard = heard_by_piece(super::pieces(&mp4, &[500]));
    let growing = heard.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(growing > heard.len() * 3 / 4, "{heard:?}");
    // Samples are heard at once.
    let wav = wav(16_000, 1, 0, 0, &sound);
    assert_eq!(heard_by_piece(super::pieces(&wav, &[44, 1000]))[1..4], [500, 522, 1022]);
}

#[tokio::test]
async fn turns_come_out_of_a_container_as_out_of_samples() {
    let samples = [vec![0; 16_000], voice(48_000), vec![0; 24_000], voice(32_000), vec![0; 16_000]].concat();
    let plain = Session::hear(LiveFormat::Pcm16 { rate: 16_000, channels: 1 }, &bytes_of(&samples), &[8000]).await;
    let wav = Session::hear(LiveFormat::Auto, &wav(16_000, 1, 0, 0, &samples), &[1234]).await;
    assert_eq!(wav.spans(), plain.spans());
    wav.holds(&samples).await;
    for cut in [Cut::Unknown, Cut::Known] {
        let file = webm::of(&samples, Blocks { packets: 3, cut }).joined();
        let webm = Session::hear(LiveFormat::Auto, &file, &[700]).await;
        assert_eq!(webm.turns.len(), 2);
        for (one, other) in webm.spans().iter().zip(plain.spans()) {
            assert!(one.0.abs_diff(other.0) < 1600 && one.1.abs_diff(other.1) < 1600, "{one:?} {other:?}");
        }
        assert_eq!(webm.sound.media().map(|media| media.0), Some(Container::Webm));
    }
}

#[tokio::test]
async fn empty_pieces_change_nothing() {
    let bytes = media("recorder.webm");
    let mut session = Session::new(LiveFormat::Auto);
    for piece in bytes.chunks(500) {
        session.push(&[]).await;
        session.push(piece).await;
        session.push(&[]).await;
    }
    session.finish().await;
    assert_eq!(session.audio(), u64::try_from(whole(&bytes).len()).unwrap());
}
