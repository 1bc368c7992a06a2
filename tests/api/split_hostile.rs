//! Recordings made to do harm: each is answered with an error that names the reason, or with a right transcript, in little
//! memory, and nothing of it is left in the spool.

use std::process::Command;

use serde_json::json;

use crate::support::audio;
use crate::support::flac::{self, Form as Flac, LARGEST};
use crate::support::form::{BodyForm, Form};
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::ogg::Pages;
use crate::support::open_files::wait_until_closed;
use crate::support::provider::Reply;
use crate::support::talk::Talk;
use crate::support::tools::{TOOLS, require_tool};

const MODEL: &str = "gpt-4o-transcribe";
/// The memory that a gateway has at most, whatever it is sent. Idle it has some 40 MiB.
const MAX_MEMORY: u64 = 160 * 1024 * 1024;

/// A gateway whose provider hears a word in each piece.
async fn gateway() -> Gateway {
    let gateway = Setup::new().config("[models.gpt-4o-transcribe]\nmax_seconds = 20\n").start().await;
    gateway.provider.answer_by(|_| Reply::json(200, &json!({ "text": "word" })));
    gateway
}

/// Sends a recording, and looks at what it leaves behind.
async fn transcribe(gateway: &Gateway, recording: &[u8]) -> Answer {
    let answer = gateway.transcribe(Form::new().field("model", MODEL).file(recording)).await;
    is_unharmed(gateway).await;
    answer
}

async fn is_unharmed(gateway: &Gateway) {
    wait_until_closed(gateway).await;
    let memory = gateway.memory();
    assert!(memory < MAX_MEMORY, "{memory} bytes");
}

/// Writes a recording of 25 s in another format; `None` if ffmpeg is missing.
fn written(arguments: &[&str], extension: &str) -> Option<Vec<u8>> {
    let program = require_tool("ffmpeg", TOOLS)?;
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["talk.wav", &format!("written.{extension}")].map(|name| folder.path().join(name));
    std::fs::write(&from, Talk::default().says(8).wav()).unwrap();
    let mut command = Command::new(program);
    command.args(["-v", "error", "-i"]).arg(&from).args(arguments).args(["-fflags", "+bitexact"]).arg(&to);
    assert!(command.status().unwrap().success());
    Some(std::fs::read(&to).unwrap())
}

/// Bytes of chance.
struct Chance(u32);

impl Chance {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.to_le_bytes()[3]
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.byte();
        }
    }
}

/// Puts chance into the packets of a `WebM` file, whose elements from `from` to `until` these are.
fn fill_blocks(webm: &mut [u8], mut from: usize, until: usize, chance: &mut Chance) -> usize {
    let mut blocks = 0;
    while from < until {
        let id_size = usize::try_from(webm[from].leading_zeros()).unwrap() + 1;
        let size_at = from + id_size;
        let size_size = usize::try_from(webm[size_at].leading_zeros()).unwrap() + 1;
        let begins = size_at + size_size;
        let size = webm[size_at..begins].iter().fold(0_usize, |size, byte| (size << 8) | usize::from(*byte));
        let ends = (begins + (size ^ (1 << (7 * size_size)))).min(until);
        match &webm[from..size_at] {
            // The segment, a cluster, a group of a block.
            [0x18, 0x53, 0x80, 0x67] | [0x1f, 0x43, 0xb6, 0x75] | [0xa0] => {
                blocks += fill_blocks(webm, begins, ends, chance);
            }
            // A block: the number of its track, a time, flags, and the packet.
            [0xa3 | 0xa1] => {
                chance.fill(&mut webm[begins + 4..ends]);
                blocks += 1;
            }
            _ => {}
        }
        from = ends;
    }
    blocks
}

#[tokio::test]
async fn packets_of_chance_are_refused_by_name() {
    let mut chance = Chance(5);
    let Some(mut webm) = written(&["-c:a", "libopus"], "webm") else { return };
    let end = webm.len();
    assert!(fill_blocks(&mut webm, 0, end, &mut chance) > 1000);
    let mut ogg = Pages::opus();
    for page in 0..40 {
        let packets: Vec<[u8; 40]> = (0..50).map(|_| std::array::from_fn(|_| chance.byte())).collect();
        ogg.add(0, (page + 1) * 48_000, &packets.iter().map(|packet| &packet[..]).collect::<Vec<_>>());
    }
    let Some(mut mp4) = written(&["-c:a", "aac", "-movflags", "+faststart"], "m4a") else { return };
    let mdat = mp4.windows(4).position(|kind| kind == b"mdat").unwrap();
    chance.fill(&mut mp4[mdat + 4..]);
    let mut mp3 = audio::mp3(1500);
    mp3.chunks_mut(384).for_each(|frame| chance.fill(&mut frame[4..]));
    let gateway = gateway().await;
    for (name, recording) in [("webm", webm), ("ogg", ogg.bytes), ("mp4", mp4), ("mp3", mp3)] {
        let answer = transcribe(&gateway, &recording).await;
        answer.is_error(400, "invalid_audio", Some("file"));
        assert!(answer.text().contains(&format!("the {name} file's audio")), "{name}: {}", answer.text());
        assert!(answer.text().contains("cannot be decoded: "), "{name}: {}", answer.text());
    }
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn minutes_of_silence_in_a_few_bytes_are_an_empty_transcript() {
    let gateway = gateway().await;
    let bytes = flac::zeros(Flac { rate: 8_000, channels: 1 }, 15);
    assert!(bytes.len() < 400, "{}", bytes.len());
    let answer = transcribe(&gateway, &bytes).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("")), "{}", answer.text());
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn four_gibibytes_of_zeros_are_refused_for_their_length() {
    let gateway = gateway().await;
    let bytes = flac::zeros(Flac { rate: 16_000, channels: 1 }, 32_769);
    let samples = u64::from(LARGEST) * 32_769;
    assert!(samples * 2 >= 4 * 1024 * 1024 * 1024 && bytes.len() < 600_000);
    let answer = transcribe(&gateway, &bytes).await;
    answer.is_error(400, "audio_too_long", Some("file"));
    assert!(answer.text().contains("14400"), "{}", answer.text());
    assert_eq!(gateway.provider.requests(), 0);
}

#[tokio::test]
async fn a_header_that_claims_a_hundred_hours_changes_nothing() {
    let gateway = gateway().await;
    // The size of the sound, and of the file, in a WAV of 28 s.
    let mut wav = Talk::default().says(1).pause(5_000).says(3).pause(5_000).says(2).wav();
    let hundred_hours = (100 * 3600 * 32_000_u64).min(u64::from(u32::MAX) - 36);
    let claimed = u32::try_from(hundred_hours).unwrap();
    wav[4..8].copy_from_slice(&(claimed + 36).to_le_bytes());
    wav[40..44].copy_from_slice(&claimed.to_le_bytes());
    let answer = transcribe(&gateway, &wav).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("word word word")), "{}", answer.text());
    // FLAC, whose header states the number of samples; whole, and alone in the body.
    let form = Flac { rate: 16_000, channels: 1 };
    let mut bytes = flac::head(form, 100 * 3600 * 16_000);
    for number in 0..100 {
        bytes.extend(flac::frame(form, number, 4_000, None));
    }
    let answer = transcribe(&gateway, &bytes).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("")), "{}", answer.text());
    let raw = BodyForm::RawOctets.on(gateway.post(TRANSCRIPTIONS), &[("model", MODEL)], &bytes);
    let answer = gateway.send(raw).await;
    assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("")), "{}", answer.text());
    is_unharmed(&gateway).await;
}

#[tokio::test]
async fn a_recording_that_begins_anew_all_the_time_is_refused_by_name() {
    let gateway = gateway().await;
    let form = Flac { rate: 48_000, channels: 1 };
    let mut bytes = flac::head(form, 0);
    for number in 0..40_000 {
        bytes.extend(flac::frame(form, number, 192, Some(48_000 - u16::try_from(number % 500).unwrap())));
    }
    let answer = transcribe(&gateway, &bytes).await;
    answer.is_error(400, "invalid_audio", Some("file"));
    assert!(answer.text().contains("more often than any recorder does"), "{}", answer.text());
    assert_eq!(gateway.provider.requests(), 0);
}
