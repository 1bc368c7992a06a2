//! The audio's own string: from JSON text to bytes of audio.

use std::mem;

use memchr::memchr2;

use super::{AudioField, JsonError};
use crate::intake::base64::Decoder;

const SCHEME: &[u8] = b"data:";

/// The most of a `data:` URL that may stand before its base64. A media type with its codecs takes about fifty bytes.
const MAX_OPENING: usize = 256;

/// Unescapes the string that holds the audio, takes off the head of a `data:` URL and decodes the rest.
pub(super) struct AudioText {
    field: AudioField,
    escape: Escape,
    stage: Stage,
    /// The whitespace before the text, in bytes.
    leading: usize,
    decoder: Decoder,
}

/// How much of an escape sequence has come.
enum Escape {
    None,
    /// The backslash.
    Begun,
    /// `\u` and some of its four digits.
    Unicode {
        digits: u8,
        code: u32,
    },
}

enum Stage {
    /// All of it may yet turn out to be the head of a `data:` URL.
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

    /// Takes the string's text and appends the audio in it; gives what comes after the closing quote, if that is there.
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

    /// To be called when the closing quote has come.
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
        // The smallest byte is found many times faster than the first small one, and nearly always there is none.
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
                // Half a surrogate pair is as far from base64 as any character that could stand in its place.
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
            // A URL may stand behind blanks (WHATWG URL §4.4), as base64 may.
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

    /// What has come is no head of a `data:` URL but base64 itself.
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

/// Whether the head of a `data:` URL, its comma included, ends as one of base64 does.
fn says_base64(opening: &[u8]) -> bool {
    const ENDING: &[u8] = b";base64,";
    opening.last_chunk::<{ ENDING.len() }>().is_some_and(|last| last.eq_ignore_ascii_case(ENDING))
}
