//! Vorbis: the duration of a packet, from its window and the previous one (Vorbis I §4.3.1 and §4.3.8).
//!
//! The end of the setup header lists the windows; a reader must parse that header from its beginning (§4.2.4).

#[cfg(test)]
mod tests;

use super::bits::LowBits;
use super::played::Played;
use super::{Count, TrackParams, Wants};

/// The maximum number of bytes kept of a header that comes as a packet.
const MAX_HEADER: usize = 64 * 1024;

/// The maximum number of values in all codebooks together. A decoder holds each value of every entry, though a header of a few
/// kilobytes can state any number of them; libvorbis' encoders write some hundred thousand.
const MAX_BOOK_VALUES: u64 = 4 * 1024 * 1024;

/// A counter of Vorbis packets.
#[derive(Debug)]
pub(super) struct Vorbis {
    start: Start,
    /// The modes of the stream; true for a mode with long windows.
    modes: Vec<bool>,
    /// The window of the previous packet; 0 before the first.
    before: u32,
    /// The first bytes of the packet; all of them if it is a header.
    held: Vec<u8>,
    played: Played,
}

/// The identification header (§4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    channels: u32,
    rate: u32,
    short: u32,
    long: u32,
}

impl Start {
    fn parse(header: &[u8]) -> Option<Self> {
        let mut bits = LowBits::new(header.strip_prefix(b"\x01vorbis")?);
        bits.skip(32)?;
        let (channels, rate) = (bits.take(8)?, bits.take(32)?);
        bits.skip(3 * 32)?;
        let (short, long) = (bits.take(4)?, bits.take(4)?);
        let known = |size: u32| (6..=13).contains(&size);
        (channels > 0 && rate > 0 && known(short) && known(long)).then_some(Self {
            channels,
            rate,
            short: 1 << short,
            long: 1 << long,
        })
    }
}

/// Returns the identification header and the setup header from the headers that a container keeps: all three after
/// their sizes, each size as one byte for each 255 and the rest (Matroska); each after a size of two bytes; or these
/// two without the comments.
fn headers(setup: &[u8]) -> Option<(&[u8], &[u8])> {
    const START_BYTES: usize = 30;
    match setup {
        [2, laced @ ..] => {
            let (start, laced) = laced_size(laced)?;
            let (comments, laced) = laced_size(laced)?;
            Some((laced.get(..start)?, laced.get(start.checked_add(comments)?..)?))
        }
        [1, ..] => setup.split_at_checked(START_BYTES),
        _ => {
            let (start, rest) = sized(setup)?;
            let (_comments, rest) = sized(rest)?;
            let (setup, _) = sized(rest)?;
            Some((start, setup))
        }
    }
}

fn laced_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|&&byte| byte == 255).count();
    let last = usize::from(*bytes.get(full)?);
    Some((full * 255 + last, bytes.get(full + 1..)?))
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*size).into())
}

/// Returns the number of bits that `value` takes (§9.2.1).
fn width(value: u32) -> u32 {
    32 - value.leading_zeros()
}

/// Returns the modes of a setup header; true for a mode with long windows. Returns `None` for a header whose codebooks are
/// larger than any encoder's.
fn modes(header: &[u8], channels: u32) -> Option<Vec<bool>> {
    let mut bits = LowBits::new(header.strip_prefix(b"\x05vorbis")?);
    let mut values = 0_u64;
    for _ in 0..=bits.take(8)? {
        values = values.saturating_add(codebook(&mut bits)?);
        if values > MAX_BOOK_VALUES {
            return None;
        }
    }
    for _ in 0..=bits.take(6)? {
        bits.skip(16)?;
    }
    for _ in 0..=bits.take(6)? {
        floor(&mut bits)?;
    }
    for _ in 0..=bits.take(6)? {
        residue(&mut bits)?;
    }
    for _ in 0..=bits.take(6)? {
        mapping(&mut bits, channels)?;
    }
    let mut modes = Vec::new();
    for _ in 0..=bits.take(6)? {
        modes.push(bits.flag()?);
        bits.skip(16 + 16 + 8)?;
    }
    bits.flag()?.then_some(modes)
}

/// Skips a codebook (§3.2.1), and returns the number of values that a decoder holds for it.
fn codebook(bits: &mut LowBits<'_>) -> Option<u64> {
    bits.skip(24)?;
    let (dimensions, entries) = (bits.take(16)?, bits.take(24)?);
    if bits.flag()? {
        // The entries are ordered by length, with the number of entries of each length.
        bits.skip(5)?;
        let mut entry = 0;
        while entry < entries {
            entry += bits.take(width(entries - entry))?;
        }
    } else {
        let sparse = bits.flag()?;
        for _ in 0..entries {
            if !sparse || bits.flag()? {
                bits.skip(5)?;
            }
        }
    }
    let held = u64::from(entries) * u64::from(dimensions.max(1));
    let lookup = bits.take(4)?;
    if lookup == 0 {
        return Some(entries.into());
    }
    bits.skip(32 + 32)?;
    let value_bits = bits.take(4)? + 1;
    bits.skip(1)?;
    let values = if lookup == 1 { root(entries, dimensions) } else { u64::from(entries) * u64::from(dimensions) };
    bits.skip(usize::try_from(values.checked_mul(value_bits.into())?).ok()?)?;
    Some(held)
}

/// Returns the greatest number whose power of `dimensions` does not exceed `entries` (§9.2.3).
fn root(entries: u32, dimensions: u32) -> u64 {
    let fits = |root: u64| {
        let mut power = 1_u64;
        for _ in 0..dimensions {
            power = power.saturating_mul(root);
            if power > u64::from(entries) {
                return false;
            }
        }
        true
    };
    // With one dimension or none, no search is needed.
    if dimensions < 2 {
        return entries.into();
    }
    let (mut low, mut high) = (0_u64, 4096);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

/// Skips a floor (§6.2.1 and §7.2.2).
fn floor(bits: &mut LowBits<'_>) -> Option<()> {
    if bits.take(16)? == 0 {
        bits.skip(8 + 16 + 16 + 6 + 8)?;
        let books = bits.take(4)? + 1;
        return bits.skip(usize::try_from(books).ok()? * 8);
    }
    let partitions = bits.take(5)?;
    let mut classes = Vec::new();
    for _ in 0..partitions {
        classes.push(usize::try_from(bits.take(4)?).ok()?);
    }
    let mut dimensions = [0; 16];
    let count = classes.iter().max().map_or(0, |max| max + 1);
    for dimension in dimensions.iter_mut().take(count) {
        *dimension = usize::try_from(bits.take(3)?).ok()? + 1;
        let subclasses = bits.take(2)?;
        bits.skip(if subclasses > 0 { 8 } else { 0 } + (8 << subclasses))?;
    }
    bits.skip(2)?;
    let range = usize::try_from(bits.take(4)?).ok()?;
    let values: usize = classes.iter().filter_map(|class| dimensions.get(*class)).sum();
    bits.skip(values * range)
}

/// Skips a residue (§8.6.1).
fn residue(bits: &mut LowBits<'_>) -> Option<()> {
    bits.skip(16 + 24 + 24 + 24)?;
    let classifications = bits.take(6)? + 1;
    bits.skip(8)?;
    let mut books = 0;
    for _ in 0..classifications {
        let low = bits.take(3)?;
        let high = if bits.flag()? { bits.take(5)? } else { 0 };
        books += low.count_ones() + high.count_ones();
    }
    bits.skip(usize::try_from(books).ok()? * 8)
}

/// Skips a mapping (§4.2.4, "Mappings").
fn mapping(bits: &mut LowBits<'_>, channels: u32) -> Option<()> {
    bits.skip(16)?;
    let submaps = if bits.flag()? { bits.take(4)? + 1 } else { 1 };
    if bits.flag()? {
        let steps = bits.take(8)? + 1;
        bits.skip(usize::try_from(steps * 2 * width(channels - 1)).ok()?)?;
    }
    bits.skip(2)?;
    if submaps > 1 {
        bits.skip(usize::try_from(channels * 4).ok()?)?;
    }
    bits.skip(usize::try_from(submaps).ok()? * 3 * 8)
}

impl Vorbis {
    pub(super) fn new(params: &TrackParams) -> Result<Self, String> {
        let read = || {
            let (start, setup) = headers(&params.setup)?;
            let start = Start::parse(start)?;
            Some((start, modes(setup, start.channels)?))
        };
        let (start, modes) = read().ok_or("vorbis without its headers")?;
        Ok(Self { start, modes, before: 0, held: Vec::new(), played: Played::default() })
    }

    /// Returns the window of an audio packet; `None` for any other packet.
    fn window(&self, packet: &[u8]) -> Option<u32> {
        let mut bits = LowBits::new(packet);
        bits.skip(1)?;
        let count = u32::try_from(self.modes.len()).ok()?;
        let mode = bits.take(width(count.checked_sub(1)?))?;
        let long = *self.modes.get(usize::try_from(mode).ok()?)?;
        Some(if long { self.start.long } else { self.start.short })
    }

    /// Reads a header among the packets: a decoder restarts with it.
    fn header(&mut self) {
        if let Some(start) = Start::parse(&self.held) {
            self.start = start;
            // This mode applies until the modes are known; the first window is treated as if one preceded it.
            self.modes = vec![true];
            self.before = start.long;
        } else if let Some(modes) = modes(&self.held, self.start.channels) {
            self.modes = modes;
        }
    }
}

impl Count for Vorbis {
    fn begin(&mut self, _size: u64) -> Wants {
        self.held.clear();
        Wants::Everything
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let is_header = self.held.first().or(bytes.first()).is_some_and(|first| first & 1 == 1);
        let max = if is_header { MAX_HEADER } else { 2 };
        let count = bytes.len().min(max.max(self.held.len()) - self.held.len());
        self.held.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }

    fn end(&mut self) {
        if self.held.first().is_some_and(|first| first & 1 == 1) {
            return self.header();
        }
        if let Some(window) = self.window(&self.held) {
            if self.before > 0 {
                self.played.add(u64::from(self.before + window) / 4, self.start.rate);
            }
            self.before = window;
        }
    }

    fn played(&self) -> u64 {
        self.played.nanos()
    }
}
