//! Files that are one thing by their first bytes and another to those that play them.

use super::Case;
use super::ffmpeg::Ffmpeg;
use super::formats::{Format, taken};

/// What plays long.
const STRANGERS: &[Format] = &[
    taken("nut", "nut", "-c:a libopus -b:a 16k"),
    taken("transport stream", "ts", "-c:a aac -b:a 32k"),
    taken("program stream", "vob", "-c:a ac3 -b:a 64k"),
    taken("adts", "aac", "-c:a aac -b:a 32k"),
    taken("loas", "latm", "-c:a aac -b:a 32k"),
    taken("raw ac3", "ac3", "-c:a ac3 -ac 1 -b:a 64k"),
    taken("mp3", "mp3", "-c:a libmp3lame -ac 1 -ar 8000 -b:a 8k -write_xing 0 -id3v2_version 0"),
    taken("mp4", "mp4", "-c:a aac -b:a 32k -movflags empty_moov+default_base_moof"),
];
/// Compressed sound as it goes over a wire for PCM.
const BURSTS: &[Format] = &[
    taken("ac3 in bursts", "spdif", "-c:a ac3 -f spdif"),
    taken("mp2 in bursts", "spdif", "-c:a mp2 -ar 16000 -b:a 32k -ac 1 -f spdif"),
];
const FRAMES: Format = taken("frames", "mp3", "-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0");
const SLOW_FRAMES: Format =
    taken("slow frames", "mp3", "-c:a libmp3lame -ac 1 -ar 8000 -b:a 8k -write_xing 0 -id3v2_version 0");

pub(crate) fn of(ffmpeg: &Ffmpeg) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| cases.push(Case { name, bytes, honest: false });
    let frames = ffmpeg.make(&FRAMES);
    for format in STRANGERS {
        let (name, sound) = (format.name, ffmpeg.make(format));
        let short = [chunk(*b"data", &[0; 320]), chunk(*b"junk", &sound)].concat();
        let wav = wav(&short, 16_000, 16);
        add(format!("{name} in a chunk of WAV"), wav.clone());
        for tags in [vec![70_000], vec![10, 10], vec![1_200_000]] {
            let tags: Vec<u8> = tags.iter().flat_map(|size| id3v2(&vec![0; *size])).collect();
            add(format!("{name} in a chunk of WAV behind {} bytes of tags", tags.len()), [tags, wav.clone()].concat());
        }
        let large_tag = id3v2(&sound.repeat(1_100_000 / sound.len() + 1));
        add(format!("{name} in a large tag and in WAV"), [large_tag.clone(), wav].concat());
        add(format!("{name} in a large tag and behind frames"), [&large_tag, &frames[..4_180], &sound].concat());
        for count in [2, 3, 12] {
            let some = &frames[..418 * count];
            add(format!("{name} behind {count} frames"), [some, &sound].concat());
            add(format!("{name} behind a byte, before {count} frames"), [b"x", &sound[..], some].concat());
            add(format!("{count} frames in {name}"), [&sound[..sound.len() / 2], some, &sound].concat());
        }
        for code in [b"uuid", b"junk", b"free", b"abcd", b"skip", b"ftyp"] {
            let kind = [b"jp2 ", &frames[..2_090], &sound].concat();
            add(format!("{name} behind and in a box"), [boxed(*code, &kind), sound.clone()].concat());
            add(format!("{name} behind a box of frames"), [boxed(*code, &frames[..2_090]), sound.clone()].concat());
        }
        let mut flac = b"fLaC\x80\0\0\x22".to_vec();
        flac.resize(42, 0);
        add(format!("{name} behind a head of FLAC"), [flac, sound].concat());
    }
    for format in BURSTS {
        for (bits, channels) in [(8, 8), (16, 2), (24, 2), (32, 2)] {
            let samples = wav_of(&chunk(*b"data", &ffmpeg.make(format)), 192_000, bits, channels, 0);
            add(format!("{} of {bits} bits", format.name), samples);
        }
    }
    let slow = ffmpeg.make(&SLOW_FRAMES);
    for (block, zeros) in [(4, 120_000), (65_532, 400_000), (65_532, 1_500_000)] {
        let data = chunk(*b"data", &[vec![0; zeros], slow.clone()].concat());
        add(format!("frames behind {zeros} zeros in blocks of {block}"), wav_of(&data, 192_000, 16, 2, block));
    }
    // Frames that look like the head of something that plays for hours.
    for (count, at, mark) in [(2, 1_080, "M.K."), (12, 1_080, "M.K."), (12, 44, "SCRM"), (12, 213, "Sega Stream")] {
        let mut module = [&slow[..72 * count], &vec![0; 33_852 - 72 * count]].concat();
        module[950] = 127;
        module[at..at + mark.len()].copy_from_slice(mark.as_bytes());
        add(format!("a module behind {count} frames, {mark} at {at}"), module);
    }
    let mut dictation = wav(&chunk(*b"data", &[0; 468]), 8_000, 16);
    dictation[256] = 0x84;
    add("an ACT recording".into(), [dictation, chunk(*b"junk", &vec![0x5a; 40_000])].concat());
    sizes_of_wav(&mut add);
    packets_in_wav(&mut add);
    rates_that_change(ffmpeg, &mut add);
    cases
}

/// WAV that says in two ways how much sound there is.
fn sizes_of_wav(add: &mut impl FnMut(String, Vec<u8>)) {
    let sound = vec![0x11; 400_000];
    let ds64 = |size: u64| chunk(*b"ds64", &[[0; 8], size.to_le_bytes(), [0; 8], [0; 8]].concat()[..28]);
    let data = |stated: u32| [b"data", &stated.to_le_bytes()[..], &[0x11; 100]].concat();
    for (mark, of_ds64, stated) in [(b"RF64", 400_000, 100), (b"BW64", 400_000, 100), (b"RIFF", 100, u32::MAX)] {
        for twice in [false, true] {
            let tables = [ds64(of_ds64), if twice { ds64(100) } else { Vec::new() }].concat();
            let chunks = [tables, format_chunk(16_000, 16, 1, 0), data(stated), chunk(*b"junk", &sound)].concat();
            let file = [mark, &[0xff; 4][..], b"WAVE", &chunks].concat();
            add(format!("{} of {of_ds64} and {stated} bytes", mark.escape_ascii()), file);
        }
    }
    let odd = [b"data", &1_001_u32.to_le_bytes()[..], &[0x11; 1_001]].concat();
    // Where no byte of padding is passed over, there is another chunk.
    let size = 0x0006_0041_u32.to_le_bytes();
    let unpadded = [&odd, &b"data"[..], &size, &[0x7f], &sound].concat();
    add("sound behind sound without padding".into(), wav(&unpadded, 16_000, 16));
    let jump = [&odd, &b"\0JUNK"[..], &0x0100_0000_u32.to_le_bytes(), &[0; 75], &chunk(*b"data", &sound)].concat();
    add("sound where a player lands without padding".into(), wav(&jump, 16_000, 16));
    for name in [b"XMA2", b"SMV0"] {
        let other = [chunk(*name, &[3; 40]), format_chunk(16_000, 16, 1, 0), chunk(*b"data", &[0; 320])].concat();
        add(format!("{} before the format", name.escape_ascii()), [b"RIFF", &[0; 4][..], b"WAVE", &other].concat());
    }
}

/// What only packets tell the length of, in WAV, which has none.
fn packets_in_wav(add: &mut impl FnMut(String, Vec<u8>)) {
    for tag in [0x0038, 0x0057, 0x0058, 0x5346, 0x566f, 0x704f, 0xa109, 0xf1ac] {
        for first in [0x03, 0x3c, 0x7c, 0xc0, 0xfb] {
            for block in [1_u16, 65, 4_096] {
                // Every packet of a player's begins with that byte but the first.
                let mut sound = [&[first, 0x30], &[0x11; 4_094][..]].concat().repeat(10);
                sound[0] = 0xc0;
                let [tag, channels, block, bits] = [tag, 1, block, 4].map(u16::to_le_bytes);
                let rates = [8_000_u32, 8_000].map(u32::to_le_bytes).concat();
                let format = chunk(*b"fmt ", &[&tag[..], &channels, &rates, &block, &bits, &[0, 0]].concat());
                let content = [&b"WAVE"[..], &format, &chunk(*b"data", &sound)].concat();
                add(format!("packets of {first:#x} in WAV of format {tag:x?}"), chunk(*b"RIFF", &content));
            }
        }
    }
}

/// Frames of two rates by turns: some play at the rate of the one before.
fn rates_that_change(ffmpeg: &Ffmpeg, add: &mut impl FnMut(String, Vec<u8>)) {
    let slow = ffmpeg.make(&SLOW_FRAMES);
    let fast =
        ffmpeg.make(&taken("", "mp3", "-c:a libmp3lame -ac 1 -ar 48000 -b:a 32k -write_xing 0 -id3v2_version 0"));
    for run in [1, 2, 5, 40] {
        let pairs = slow.chunks_exact(72 * run).zip(fast.chunks_exact(96 * run));
        let frames = pairs.map(|(slow, fast)| [slow, fast].concat()).collect::<Vec<_>>().concat();
        add(format!("two rates by turns of {run} in WAV"), wav(&chunk(*b"data", &frames), 192_000, 16));
        add(format!("two rates by turns of {run}"), frames);
    }
}

fn wav(chunks: &[u8], rate: u32, bits: u16) -> Vec<u8> {
    wav_of(chunks, rate, bits, 1, 0)
}

fn wav_of(chunks: &[u8], rate: u32, bits: u16, channels: u16, block: u16) -> Vec<u8> {
    let content = [b"WAVE", &format_chunk(rate, bits, channels, block)[..], chunks].concat();
    chunk(*b"RIFF", &content)
}

/// What says that it is PCM, in blocks of `block` bytes, or as they should be.
fn format_chunk(rate: u32, bits: u16, channels: u16, block: u16) -> Vec<u8> {
    let block = if block == 0 { bits / 8 * channels } else { block };
    let [rate, bytes] = [rate, rate * u32::from(block.min(100))].map(u32::to_le_bytes);
    let [tag, channels, block, bits] = [1, channels, block, bits].map(u16::to_le_bytes);
    chunk(*b"fmt ", &[&tag[..], &channels, &rate, &bytes, &block, &bits].concat())
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    [&name[..], &size.to_le_bytes(), content, &[0][..content.len() % 2]].concat()
}

fn boxed(code: [u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], &code, content].concat()
}

fn id3v2(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let synchsafe = [size >> 21, size >> 14, size >> 7, size].map(|part| u8::try_from(part & 0x7f).unwrap());
    [b"ID3\x03\0\0", &synchsafe[..], content].concat()
}
