//! Tests on files built box by box, each for one feature of the format.

mod edits;
mod fragments;
mod packets;
mod refused;
mod tables;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use super::super::budget::Budget;
use super::super::reader::Ended;
use super::super::tally::Tally;
use super::super::{Container, MediaError};
use super::measure;
use crate::domain::Length;

/// A source that counts the bytes read from it.
struct Counted {
    source: Cursor<Vec<u8>>,
    read: usize,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.read += read;
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

fn measure_file(file: &[u8]) -> Result<(Length, usize), MediaError> {
    let mut source = Counted { source: Cursor::new(file.to_vec()), read: 0 };
    let bytes = u64::try_from(file.len()).unwrap();
    let mut tally = Tally::new(Container::Mp4);
    let measured = measure(&mut source, bytes, &mut tally, &mut Budget::for_bytes(bytes))?;
    assert_eq!(measured.ended, Ended::Whole);
    Ok((tally.conclude()?.1, source.read))
}

/// Returns the exact length of the file in milliseconds.
fn ms(file: &[u8]) -> u64 {
    let (length, _) = measure_file(file).unwrap();
    length.measured().unwrap_or_else(|| panic!("{length:?}")).get()
}

fn error(file: &[u8]) -> String {
    measure_file(file).map(|(length, _)| length).unwrap_err().to_string()
}

fn n(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

fn boxed(kind: &[u8], content: impl AsRef<[u8]>) -> Vec<u8> {
    [&n(content.as_ref().len() + 8)[..], kind, content.as_ref()].concat()
}

/// Returns a full box: version and flags 0, and big-endian numbers.
fn table(kind: &[u8], numbers: &[u32]) -> Vec<u8> {
    full(kind, 0, numbers)
}

fn full(kind: &[u8], flags: u32, numbers: &[u32]) -> Vec<u8> {
    boxed(kind, [&[flags], numbers].concat().iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())
}

fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", b"isom\0\0\0\0isom")
}

/// Returns the offset of the content of an `mdat` after [`ftyp`].
fn media_at() -> u32 {
    u32::try_from(ftyp().len() + 8).unwrap()
}

/// An audio track with consecutive samples from [`media_at`].
#[derive(Clone)]
struct Sound {
    code: [u8; 4],
    handler: [u8; 4],
    channels: u16,
    bits: u16,
    rate: u16,
    extra: Vec<u8>,
    /// The `stts`: pairs of a number of samples and their duration.
    times: Vec<u32>,
    /// The `stsz`: a size for all samples, their number, and the size of each.
    sizes: Vec<u32>,
    /// The `stsc`: the first chunk, the number of samples per chunk and the description of each entry.
    chunks: Vec<u32>,
    offsets: Vec<u32>,
    /// The `elst`: pairs of a duration in milliseconds and the position in the track.
    edits: Vec<u32>,
    /// The sample descriptions that replace the description from the fields above.
    descriptions: Vec<u8>,
    /// The boxes at the end of the sample table.
    more: Vec<u8>,
}

impl Sound {
    fn new(code: &[u8]) -> Self {
        Self {
            code: code.try_into().unwrap(),
            handler: *b"soun",
            channels: 1,
            bits: 16,
            rate: 8000,
            extra: Vec::new(),
            times: vec![u32::MAX, 1024],
            sizes: vec![0, 0],
            chunks: Vec::new(),
            offsets: Vec::new(),
            edits: Vec::new(),
            descriptions: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Sets packets of these sizes, in one chunk.
    fn packets(mut self, sizes: &[usize]) -> Self {
        let count = u32::try_from(sizes.len()).unwrap();
        self.sizes = [0, count].into_iter().chain(sizes.iter().map(|&size| u32::try_from(size).unwrap())).collect();
        self.chunks = vec![1, count, 1];
        self.offsets = vec![media_at()];
        self
    }

    /// Sets `count` samples of one size, in one chunk.
    fn alike(mut self, size: u32, count: u32) -> Self {
        self.sizes = vec![size, count];
        self.chunks = vec![1, count, 1];
        self.offsets = vec![media_at()];
        self
    }

    fn times(mut self, times: &[u32]) -> Self {
        self.times = times.to_vec();
        self
    }

    fn description(&self) -> Vec<u8> {
        let fixed = [&[0; 6][..], &[0, 1], &[0; 8]].concat();
        let [channels, bits, rate] = [self.channels, self.bits, self.rate].map(u16::to_be_bytes);
        let entry = [&fixed[..], &channels, &bits, &[0; 4], &rate, &[0; 2], &self.extra].concat();
        let entries = if self.descriptions.is_empty() { boxed(&self.code, entry) } else { self.descriptions.clone() };
        let count = if self.descriptions.is_empty() { 1 } else { 2 };
        boxed(b"stsd", [&[0, 0, 0, 0, 0, 0, 0, count][..], &entries].concat())
    }

    fn track(&self) -> Vec<u8> {
        let counted = |kind: &[u8], numbers: &[u32], each: usize| {
            let count = u32::try_from(numbers.len() / each).unwrap();
            table(kind, &[&[count], numbers].concat())
        };
        let tables = [
            self.description(),
            counted(b"stts", &self.times, 2),
            counted(b"stsc", &self.chunks, 3),
            table(b"stsz", &self.sizes),
            counted(b"stco", &self.offsets, 1),
            self.more.clone(),
        ];
        let clock = table(b"mdhd", &[0, 0, self.rate.into(), 0, 0]);
        let handler = boxed(b"hdlr", [&[0; 8], &self.handler[..], &[0; 13]].concat());
        let media = [clock, handler, boxed(b"minf", boxed(b"stbl", tables.concat()))].concat();
        let edits: Vec<u32> = self.edits.chunks(2).flat_map(|edit| [edit[0], edit[1], 0x1_0000]).collect();
        let edits = if edits.is_empty() { Vec::new() } else { boxed(b"edts", counted(b"elst", &edits, 3)) };
        boxed(b"trak", [table(b"tkhd", &[0, 0, 1, 0, 0]), edits, boxed(b"mdia", media)].concat())
    }

    /// Returns a file with only this track.
    fn file(&self, media: &[u8]) -> Vec<u8> {
        file(&self.track(), media)
    }
}

/// Returns an index of `content` with 1 000 ticks per second.
fn movie(content: &[u8]) -> Vec<u8> {
    boxed(b"moov", [&table(b"mvhd", &[0, 0, 1000, 0]), content].concat())
}

fn file(tracks: &[u8], media: &[u8]) -> Vec<u8> {
    [ftyp(), boxed(b"mdat", media), movie(tracks)].concat()
}

/// Returns Opus packets of 20 ms in three bytes each.
fn opus(packets: usize) -> Vec<u8> {
    [0x08, 0xff, 0xfe].repeat(packets)
}

/// Returns a track of `packets` Opus packets of 20 ms in three bytes each.
fn opus_track(packets: usize) -> Sound {
    Sound { rate: 48000, ..Sound::new(b"Opus") }.packets(&vec![3; packets]).times(&[u32::MAX, 960])
}

/// Returns MPEG-2 layer III at 8 kbit/s and 16 kHz: 36 ms in 36 bytes per frame.
fn mp3(frames: usize) -> Vec<u8> {
    [&[0xff, 0xf3, 0x18, 0xc0][..], &[0; 32]].concat().repeat(frames)
}

/// Returns an `esds` for an object type with a configuration.
fn esds(object_type: u8, setup: &[u8]) -> Vec<u8> {
    let descriptor = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let specific = if setup.is_empty() { Vec::new() } else { descriptor(5, setup) };
    let config = descriptor(4, &[&[object_type, 0x15], &[0; 11][..], &specific].concat());
    boxed(b"esds", [&[0; 4], &descriptor(3, &[&[0, 1, 0][..], &config].concat())[..]].concat())
}
