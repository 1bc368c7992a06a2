//! Base64, decoded as it arrives and in pieces of any size, so that a recording is never held as text.
//!
//! The decoder accepts the standard and the URL-safe alphabet, with or without padding. It ignores ASCII whitespace,
//! because encoders wrap their lines.

#[cfg(test)]
mod tests;

use std::fmt;

use ::base64::Engine as _;
use ::base64::engine::GeneralPurpose;
use ::base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The number of bytes of text that the engine gets at once. The size is small enough that a second pass over the text,
/// needed if it holds more than symbols of one alphabet, reads from the processor's cache.
const BLOCK: usize = 16 * 1024;

/// The size in bytes below which pieces are gathered first: a call of the engine costs about as much as copying them.
const SHORT: usize = 256;

/// The reason why a text is not base64. Offsets count the bytes of the base64 text from 0, whitespace included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base64Error {
    /// A byte belongs to no base64 alphabet.
    #[error("{} at offset {offset} is not a base64 character", Shown(*byte))]
    InvalidByte {
        /// The offset of the byte.
        offset: usize,
        /// The byte. It is never a symbol of the alphabet, so never content.
        byte: u8,
    },
    /// A `=` does not complete a group of four.
    #[error("the `=` at offset {offset} is out of place: padding only completes the last group of four characters")]
    MisplacedPadding {
        /// The offset of the `=`.
        offset: usize,
    },
    /// More symbols follow the padding, as when two encoded pieces are joined.
    #[error("more base64 follows the padding, at offset {offset}: the recording must be encoded as one piece")]
    DataAfterPadding {
        /// The offset of the first symbol.
        offset: usize,
    },
    /// The last group of four has only one symbol, or incomplete padding.
    #[error("the base64 text breaks off after {length} bytes, in the middle of a group of four characters")]
    Truncated {
        /// The length of the whole text.
        length: usize,
    },
    /// The last symbol has bits that belong to no byte.
    #[error("the last base64 character, at offset {offset}, is one that no encoder ends with: the text is damaged")]
    TrailingBits {
        /// The offset of the symbol.
        offset: usize,
    },
}

/// A byte in the form that a message shows.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte if byte.is_ascii_graphic() => write!(f, "`{}`", char::from(byte)),
            byte if byte.is_ascii() => write!(f, "control character 0x{byte:02x}"),
            _ => f.write_str("a character outside ASCII"),
        }
    }
}

/// A decoder for one base64 text that arrives in pieces. After an error it is unusable.
pub struct Decoder {
    /// The symbols not yet decoded, in the standard alphabet; never more than about one block.
    symbols: Vec<u8>,
    /// The number of `=` seen so far.
    padding: usize,
    /// The number of bytes of text seen so far.
    offset: usize,
    /// The offset of the last symbol, for the message about it.
    last_symbol: usize,
    /// The alphabet of the previous text, and so most likely of the text that follows.
    alphabet: &'static GeneralPurpose,
}

impl Decoder {
    /// Creates a decoder at the beginning of its text.
    pub const fn new() -> Self {
        Self { symbols: Vec::new(), padding: 0, offset: 0, last_symbol: 0, alphabet: &STANDARD_NO_PAD }
    }

    /// Counts whitespace in the text that was not passed to [`Decoder::push`].
    pub fn pass_over(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(bytes);
    }

    /// Reads the next piece of the text and appends the decoded bytes. Short pieces are gathered first, so that the
    /// engine gets whole blocks even if escapes or a slow network cut up the text. Errors are still found at once.
    pub fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
        if text.len() < SHORT {
            self.sort(text)?;
            return if self.symbols.len() < BLOCK { Ok(()) } else { self.decode_groups(out) };
        }
        let mut rest = text;
        while !rest.is_empty() {
            self.decode_groups(out)?;
            // An open group is completed first, so that the engine can take the following text unchanged.
            let mut take = 4 - self.symbols.len();
            if self.symbols.is_empty() {
                let (block, after) = rest.split_at(rest.len().min(BLOCK) / 4 * 4);
                if !block.is_empty() {
                    if self.decode_block(block, out) {
                        rest = after;
                        continue;
                    }
                    self.alphabet = &STANDARD_NO_PAD;
                    take = block.len();
                }
            }
            let (some, after) = rest.split_at(rest.len().min(take));
            self.sort(some)?;
            rest = after;
        }
        self.decode_groups(out)
    }

    /// Decodes the remaining text. The caller calls this when the text is complete.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Base64Error> {
        self.decode_groups(out)?;
        let whole = match (self.symbols.len(), self.padding) {
            (1, _) => false,
            (_, 0) => true,
            (symbols, padding) => symbols + padding == 4,
        };
        if !whole {
            return Err(Base64Error::Truncated { length: self.offset });
        }
        // Encoders leave unused bits zero (RFC 4648 §3.5), so a set bit is not a variation to tolerate: most likely an
        // unpadded text was cut, which would pass for a shorter recording.
        decode(&STANDARD_NO_PAD, &self.symbols, out)
            .map_err(|()| Base64Error::TrailingBits { offset: self.last_symbol })
    }

    /// Decodes whole groups that consist only of symbols of the current alphabet; otherwise changes nothing.
    fn decode_block(&mut self, block: &[u8], out: &mut Vec<u8>) -> bool {
        let decoded = decode(self.alphabet, block, out).is_ok();
        if decoded {
            self.offset += block.len();
        }
        decoded
    }

    /// Sorts text into symbols, which are kept, and padding, whitespace and errors.
    fn sort(&mut self, text: &[u8]) -> Result<(), Base64Error> {
        let mut rest = text;
        while !rest.is_empty() {
            let (symbols, odd) = rest.split_at(standard_symbols_at_start(rest));
            self.keep(symbols)?;
            let Some((&byte, after)) = odd.split_first() else { return Ok(()) };
            rest = after;
            let offset = self.offset;
            match byte {
                b'-' | b'_' => {
                    self.alphabet = &URL_SAFE_NO_PAD;
                    self.keep(if byte == b'-' { b"+" } else { b"/" })?;
                    continue;
                }
                b'=' => {
                    let in_group = self.symbols.len() % 4;
                    if in_group < 2 || in_group + self.padding == 4 {
                        return Err(Base64Error::MisplacedPadding { offset });
                    }
                    self.padding += 1;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => return Err(Base64Error::InvalidByte { offset, byte }),
            }
            self.offset += 1;
        }
        Ok(())
    }

    fn keep(&mut self, symbols: &[u8]) -> Result<(), Base64Error> {
        if symbols.is_empty() {
            return Ok(());
        }
        if self.padding > 0 {
            return Err(Base64Error::DataAfterPadding { offset: self.offset });
        }
        self.symbols.extend_from_slice(symbols);
        self.offset += symbols.len();
        self.last_symbol = self.offset - 1;
        Ok(())
    }

    /// Decodes the kept groups of four.
    fn decode_groups(&mut self, out: &mut Vec<u8>) -> Result<(), Base64Error> {
        let whole = self.symbols.len() / 4 * 4;
        let (groups, _) = self.symbols.split_at(whole);
        // Only symbols of the standard alphabet are kept, so the engine has nothing to refuse.
        decode(&STANDARD_NO_PAD, groups, out).map_err(|()| Base64Error::Truncated { length: self.offset })?;
        self.symbols.drain(..whole);
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::needless_bitwise_bool, reason = "without branches, so that sixteen can be compared at once")]
fn is_standard_symbol(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter | digit | (byte == b'+') | (byte == b'/')
}

/// Returns the number of standard symbols at the start of `text`. Sixteen are compared at once; one by one, the
/// processor would have to predict branches on random data (measured on wrapped text: three times slower).
fn standard_symbols_at_start(text: &[u8]) -> usize {
    let (sixteens, _) = text.as_chunks::<16>();
    let all_symbols = |bytes: &&[u8; 16]| bytes.iter().fold(true, |all, &byte| all & is_standard_symbol(byte));
    let sure = sixteens.iter().take_while(all_symbols).count() * 16;
    sure + text.iter().skip(sure).take_while(|&&byte| is_standard_symbol(byte)).count()
}

/// Appends the decoded bytes of `text`, or nothing if the engine refuses it. `sort` then finds the reason.
fn decode(engine: &GeneralPurpose, text: &[u8], out: &mut Vec<u8>) -> Result<(), ()> {
    let before = out.len();
    engine.decode_vec(text, out).map_err(|_| out.truncate(before))
}
