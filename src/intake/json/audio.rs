//! The JSON string that holds the audio: from JSON text to audio bytes.

use std::mem;

use memchr::memchr2;

use super::{AudioField, JsonError};
use crate::intake::base64::Decoder;

const SCHEME: &[u8] = b"data:";

/// The maximum number of bytes of a `data:` URL before its base64. A media type with its codecs takes about fifty
/// bytes.
const MAX_OPENING: usize = 256;

/// The decoder of the audio string: unescapes the text, strips the head of a `data:` URL and decodes the rest.
pub(super) struct AudioText {
    field: AudioField,
    escape: Escape,
    stage: Stage,
    /// The number of bytes of whitespace before the text.
    leading: usize,
    decoder: Decoder,
}

/// The part of an escape sequence read so far.
enum Escape {
    None,
    /// The backslash has been read.
    Begun,
    /// `\u` and some of its four digits have been read.
    Unicode {
        digits: u8,
        code: u32,
    },
}

enum Stage {
    /// The text so far, all of which may still turn out to be the head of a `data:` URL.
    Opening(Vec<u8>),
    Base64,
}

impl AudioText {
    pub(super) fn new(field: AudioField) -> Self {
        Self { field, escape: Escape::None, stage: Stage::Opening(Vec::new()), leading: 0, decoder: Decoder::new() }
    }

    pub(super) fn field(&self) -> AudioField {
        self.field
    }

    /// Reads a piece of the string and appends the decoded audio. Returns the text after the closing quote, once that
    /// quote has come.
    pub(super) fn push<'a>(&mut self, text: &'a [u8], audio: &mut Vec<u8>) -> Result<Option<&'a [u8]>, JsonError> {
        let mut rest = text;
        loop {
            if matches!(self.escape, Escape::None) {
                let end = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                let (plain, special) = rest.split_at(end);
                self.plain(plain, audio)?;
                match special.split_first() {
                    None => return Ok(None),
                    Some((b'"', after)) => return Ok(Some(after)),
                    Some((_, after)) => {
                        self.escape = Escape::Begun;
                        rest = after;
                    }
                }
            } else {
                let Some((&byte, after)) = rest.split_first() else { return Ok(None) };
                self.escaped(byte, audio)?;
                rest = after;
            }
        }
    }

    /// Ends the string. The caller calls this after the closing quote.
    pub(super) fn finish(mut self, audio: &mut Vec<u8>) -> Result<(), JsonError> {
        if let Stage::Opening(opening) = mem::replace(&mut self.stage, Stage::Base64) {
            if opening.len() >= SCHEME.len() {
                return Err(self.bad_data_url());
            }
            self.begin_base64(&opening, audio)?;
        }
        let field = self.field;
        self.decoder.finish(audio).map_err(|fault| JsonError::NotBase64 { field, fault })
    }

    fn plain(&mut self, text: &[u8], audio: &mut Vec<u8>) -> Result<(), JsonError> {
        // Finding the smallest byte is many times faster than finding the first small one, and control characters are
        // rare.
        if text.iter().fold(b' ', |least, &byte| least.min(byte)) == b' ' {
            return self.unescaped(text, audio);
        }
        for &byte in text {
            if byte < b' ' {
                return Err(JsonError::ControlCharacter { field: self.field, byte });
            }
            self.unescaped(&[byte], audio)?;
        }
        Ok(())
    }

    fn escaped(&mut self, byte: u8, audio: &mut Vec<u8>) -> Result<(), JsonError> {
        let unknown = JsonError::UnknownEscape { field: self.field };
        let meant = match (&mut self.escape, byte) {
            (Escape::Unicode { digits, code }, _) => {
                let Some(digit) = char::from(byte).to_digit(16) else { return Err(unknown) };
                *code = *code * 16 + digit;
                *digits += 1;
                if *digits < 4 {
                    return Ok(());
                }
                // Half a surrogate pair is no more base64 than any character that could replace it.
                char::from_u32(*code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            (escape, b'u') => {
                *escape = Escape::Unicode { digits: 0, code: 0 };
                return Ok(());
            }
            (_, b'"' | b'\\' | b'/') => char::from(byte),
            (_, b'b') => '\u{8}',
            (_, b'f') => '\u{c}',
            (_, b'n') => '\n',
            (_, b'r') => '\r',
            (_, b't') => '\t',
            _ => return Err(unknown),
        };
        self.escape = Escape::None;
        self.unescaped(meant.encode_utf8(&mut [0; 4]).as_bytes(), audio)
    }

    fn unescaped(&mut self, text: &[u8], audio: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut rest = text;
        while let Stage::Opening(opening) = &mut self.stage {
            let Some((&byte, after)) = rest.split_first() else { return Ok(()) };
            rest = after;
            // Whitespace may precede a URL (WHATWG URL §4.4), and base64 as well.
            if opening.is_empty() && byte.is_ascii_whitespace() {
                self.leading = self.leading.saturating_add(1);
                continue;
            }
            opening.push(byte);
            if opening.len() <= SCHEME.len() {
                if !opening.iter().zip(SCHEME).all(|(came, wanted)| came.eq_ignore_ascii_case(wanted)) {
                    let opening = mem::take(opening);
                    self.stage = Stage::Base64;
                    self.begin_base64(&opening, audio)?;
                }
            } else if byte == b',' {
                if !says_base64(opening) {
                    return Err(self.bad_data_url());
                }
                self.stage = Stage::Base64;
            } else if !byte.is_ascii() || opening.len() >= MAX_OPENING {
                return Err(self.bad_data_url());
            }
        }
        self.decode(rest, audio)
    }

    /// Treats the text so far as base64, since it is not the head of a `data:` URL.
    fn begin_base64(&mut self, opening: &[u8], audio: &mut Vec<u8>) -> Result<(), JsonError> {
        self.decoder.pass_over(self.leading);
        self.decode(opening, audio)
    }

    fn decode(&mut self, text: &[u8], audio: &mut Vec<u8>) -> Result<(), JsonError> {
        let field = self.field;
        self.decoder.push(text, audio).map_err(|fault| JsonError::NotBase64 { field, fault })
    }

    fn bad_data_url(&self) -> JsonError {
        JsonError::DataUrl { field: self.field, limit: MAX_OPENING }
    }
}

/// Returns true if the head of a `data:` URL, including its comma, announces base64.
fn says_base64(opening: &[u8]) -> bool {
    const ENDING: &[u8] = b";base64,";
    opening.last_chunk::<{ ENDING.len() }>().is_some_and(|last| last.eq_ignore_ascii_case(ENDING))
}
