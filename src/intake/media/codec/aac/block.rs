//! A raw data block of AAC, read only to find its end (ISO/IEC 14496-3 §4.4.2).

use super::super::bits::Bits;
use super::bands::Bands;
use super::elements::{data_stream, program_config};
use super::huffman::{BOOKS, Books};

/// The first book that holds no spectral lines.
const NOISE: u8 = 13;
const MAIN: u8 = 1;
const LOW_COMPLEXITY: u8 = 2;
/// The maximum number of bands with long-term prediction.
const MAX_LTP_BANDS: u16 = 40;
/// The maximum number of bands with the main profile's prediction, by the index of the sampling frequency (table 4.95).
const PREDICTED_BANDS: [u16; 13] = [33, 33, 38, 40, 40, 40, 41, 41, 37, 37, 37, 34, 34];

/// A reader of the blocks of one stream.
#[derive(Debug)]
pub(super) struct Reader {
    /// The audio object type.
    object: u8,
    /// The index of the sampling frequency.
    index: usize,
    bands: Bands,
    /// The sections of the channel that was read last.
    sections: Vec<Section>,
}

/// Consecutive bands of one group of windows that share a book.
#[derive(Debug, Clone, Copy)]
struct Section {
    book: u8,
    bands: u16,
    /// The number of lines in all the group's windows.
    lines: u16,
}

/// The windows of a channel.
#[derive(Debug, Clone, Copy)]
struct Windows {
    short: bool,
    bands: u16,
    groups: [u16; 8],
    group_count: usize,
    /// True if a prediction other than the main profile's is in use; a second channel then has more data about it.
    long_term: bool,
}

impl Reader {
    /// Creates a reader for blocks of `object`, at the sampling frequency of `index`, of 960 samples if `shortened` and
    /// of 1024 otherwise.
    pub(super) fn new(object: u8, index: usize, shortened: bool) -> Option<Self> {
        Some(Self { object, index, bands: Bands::new(index, shortened)?, sections: Vec::new() })
    }

    /// Reads a block to its end. Returns true if it contains sound, and `None` if it is invalid or incomplete.
    pub(super) fn read(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        let books = &*BOOKS;
        let mut sound = false;
        loop {
            let element = bits.take(3)?;
            if element == 7 {
                return Some(sound);
            }
            let tag = bits.take(4)?;
            sound |= element < 4;
            match element {
                0 | 3 => self.channel(bits, books, None)?,
                1 => self.pair(bits, books)?,
                2 => self.coupling(bits, books)?,
                4 => data_stream(bits)?,
                5 => program_config(bits)?,
                _ => {
                    let bytes = if tag == 15 { 14 + bits.take(8)? } else { tag };
                    bits.skip(usize::try_from(bytes).ok()? * 8)?;
                }
            }
        }
    }

    /// Reads a `channel_pair_element`.
    fn pair(&mut self, bits: &mut Bits<'_>, books: &Books) -> Option<()> {
        let mut common = None;
        if bits.flag()? {
            let windows = self.windows(bits)?;
            if windows.long_term && bits.flag()? {
                long_term(bits, windows.bands)?;
            }
            match bits.take(2)? {
                1 => bits.skip(windows.group_count * usize::from(windows.bands))?,
                3 => return None,
                _ => {}
            }
            common = Some(windows);
        }
        self.channel(bits, books, common)?;
        self.channel(bits, books, common)
    }

    /// Reads a `coupling_channel_element`.
    fn coupling(&mut self, bits: &mut Bits<'_>, books: &Books) -> Option<()> {
        let independent = bits.flag()?;
        let mut gains = 0;
        for _ in 0..=bits.take(3)? {
            gains += 1;
            let is_pair = bits.flag()?;
            bits.skip(4)?;
            if is_pair && bits.take(2)? == 3 {
                gains += 1;
            }
        }
        bits.skip(1 + 1 + 2)?;
        self.channel(bits, books, None)?;
        let factors: u16 = self.sections.iter().filter(|section| section.book != 0).map(|section| section.bands).sum();
        for _ in 1..gains {
            let count = if independent || bits.flag()? { 1 } else { factors };
            books.scale.pass(bits, count)?;
        }
        Some(())
    }

    /// Reads an `individual_channel_stream`. `common`: the windows, if an earlier element gave them.
    fn channel(&mut self, bits: &mut Bits<'_>, books: &Books, common: Option<Windows>) -> Option<()> {
        bits.skip(8)?;
        let windows = match common {
            Some(windows) => windows,
            None => self.windows(bits)?,
        };
        self.sections(bits, windows)?;
        self.scale_factors(bits, books)?;
        if bits.flag()? {
            self.pulses(bits, windows)?;
        }
        if bits.flag()? {
            self.noise_shaping(bits, windows)?;
        }
        // Gain control belongs to a profile that decoders do not support.
        if bits.flag()? {
            return None;
        }
        self.spectrum(bits, books)
    }

    /// Reads an `ics_info`.
    fn windows(&self, bits: &mut Bits<'_>) -> Option<Windows> {
        bits.skip(1)?;
        let short = bits.take(2)? == 2;
        bits.skip(1)?;
        let bands = u16::try_from(bits.take(if short { 4 } else { 6 })?).ok()?;
        let mut windows = Windows { short, bands, groups: [1, 0, 0, 0, 0, 0, 0, 0], group_count: 1, long_term: false };
        if usize::from(bands) >= self.offsets(short).len() {
            return None;
        }
        if short {
            for _ in 0..7 {
                windows.group_count += usize::from(!bits.flag()?);
                *windows.groups.get_mut(windows.group_count - 1)? += 1;
            }
        } else if bits.flag()? {
            match self.object {
                MAIN => {
                    if bits.flag()? && !(1..=30).contains(&bits.take(5)?) {
                        return None;
                    }
                    bits.skip(bands.min(*PREDICTED_BANDS.get(self.index)?).into())?;
                }
                LOW_COMPLEXITY => return None,
                _ => {
                    windows.long_term = true;
                    if bits.flag()? {
                        long_term(bits, bands)?;
                    }
                }
            }
        }
        Some(windows)
    }

    fn offsets(&self, short: bool) -> &[u16] {
        if short { &self.bands.short } else { &self.bands.long }
    }

    /// Reads `section_data`.
    fn sections(&mut self, bits: &mut Bits<'_>, windows: Windows) -> Option<()> {
        let Self { bands, sections, .. } = self;
        let offsets = if windows.short { &bands.short } else { &bands.long };
        sections.clear();
        let size_bits = if windows.short { 3 } else { 5 };
        let escape = (1 << size_bits) - 1;
        for &group in windows.groups.get(..windows.group_count)? {
            let mut start = 0;
            while start < windows.bands {
                let book = u8::try_from(bits.take(4)?).ok()?;
                let mut end = start;
                loop {
                    let size = bits.take(size_bits)?;
                    end += u16::try_from(size).ok()?;
                    if book == 12 || end > windows.bands {
                        return None;
                    }
                    if size != escape {
                        break;
                    }
                }
                if end > start {
                    let lines = *offsets.get(usize::from(end))? - *offsets.get(usize::from(start))?;
                    sections.push(Section { book, bands: end - start, lines: lines * group });
                }
                start = end;
            }
        }
        Some(())
    }

    /// Reads `scale_factor_data`.
    fn scale_factors(&self, bits: &mut Bits<'_>, books: &Books) -> Option<()> {
        let mut noise_seen = false;
        for section in self.sections.iter().filter(|section| section.book != 0) {
            let mut count = section.bands;
            if section.book == NOISE && !noise_seen {
                noise_seen = true;
                bits.skip(9)?;
                count -= 1;
            }
            books.scale.pass(bits, count)?;
        }
        Some(())
    }

    /// Reads `pulse_data`.
    fn pulses(&self, bits: &mut Bits<'_>, windows: Windows) -> Option<()> {
        if windows.short {
            return None;
        }
        let count = bits.take(2)? + 1;
        let end = u32::from(*self.bands.long.last()?);
        let band = usize::try_from(bits.take(6)?).ok()?;
        self.bands.long.get(band + 1)?;
        let mut at = u32::from(*self.bands.long.get(band)?);
        for _ in 0..count {
            at += bits.take(5)?;
            bits.skip(4)?;
            if at >= end {
                return None;
            }
        }
        Some(())
    }

    /// Reads `tns_data`.
    fn noise_shaping(&self, bits: &mut Bits<'_>, windows: Windows) -> Option<()> {
        let (count, count_bits, length_bits, order_bits, max_order) = match (windows.short, self.object) {
            (true, _) => (8, 1, 4, 3, 7),
            (false, MAIN) => (1, 2, 6, 5, 20),
            (false, _) => (1, 2, 6, 5, 12),
        };
        for _ in 0..count {
            let filters = bits.take(count_bits)?;
            if filters == 0 {
                continue;
            }
            let resolution = bits.take(1)? + 3;
            for _ in 0..filters {
                bits.skip(length_bits)?;
                let order = bits.take(order_bits)?;
                if order > max_order {
                    return None;
                }
                if order > 0 {
                    bits.skip(1)?;
                    let coefficient = resolution - bits.take(1)?;
                    bits.skip(usize::try_from(order * coefficient).ok()?)?;
                }
            }
        }
        Some(())
    }

    /// Reads `spectral_data`.
    fn spectrum(&self, bits: &mut Bits<'_>, books: &Books) -> Option<()> {
        for section in &self.sections {
            let book = match section.book {
                1..=11 => books.spectrum.get(usize::from(section.book) - 1)?,
                _ => continue,
            };
            let words = section.lines / if section.book < 5 { 4 } else { 2 };
            book.pass(bits, words)?;
        }
        Some(())
    }
}

/// Reads `ltp_data`.
fn long_term(bits: &mut Bits<'_>, bands: u16) -> Option<()> {
    bits.skip(11 + 3 + usize::from(bands.min(MAX_LTP_BANDS)))
}
