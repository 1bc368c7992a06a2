//! The sieve: follows a JSON text only as far as it must to find the string that holds the audio.

use std::mem;

use memchr::{memchr, memchr2};
use serde_json::{Map, Value};

use super::audio::AudioText;
use super::{AudioField, JsonError, kind_of_value, options};

/// A parser that separates the audio in a JSON body from its options while the body arrives, in pieces of any size.
///
/// The sieve does not check that the text is JSON. It only must not mistake anything else for audio in a valid text.
/// The audio leaves an empty string behind, so a well-formed text stays well-formed and an invalid one stays invalid.
/// [`Sieve::finish`] then has that text parsed. After an error the sieve is unusable.
pub struct Sieve {
    place: Place,
    /// The innermost open object whose members matter.
    object: Object,
    /// The number of open containers within that object, none of which matter.
    nested: usize,
    /// True if the next string directly in that object is a name.
    awaits_name: bool,
    /// The member whose value comes next.
    member: Member,
    /// The field in which the audio was found.
    found: Option<AudioField>,
    /// The body without the audio.
    skeleton: Vec<u8>,
    /// The maximum size of the skeleton in bytes.
    max_skeleton: usize,
}

/// The element that contains the next byte.
enum Place {
    /// No string.
    Structure,
    /// A string that stays in the skeleton. For a name that matters, `name_from` is its start in the skeleton.
    Text { name_from: Option<usize>, escaped: bool },
    /// The audio.
    Audio(AudioText),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Outside,
    Body,
    InputAudio,
}

#[derive(Clone, Copy)]
enum Member {
    Audio(AudioField),
    InputAudio,
    Other,
}

impl Sieve {
    /// Creates a sieve for one body that may have up to `max_skeleton` bytes beside its audio.
    pub const fn new(max_skeleton: usize) -> Self {
        Self {
            place: Place::Structure,
            object: Object::Outside,
            nested: 0,
            awaits_name: false,
            member: Member::Other,
            found: None,
            skeleton: Vec::new(),
            max_skeleton,
        }
    }

    /// Reads the next piece of the body and appends the audio in it.
    pub fn push(&mut self, piece: &[u8], audio: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match mem::replace(&mut self.place, Place::Structure) {
                Place::Structure => self.structure(rest)?,
                Place::Text { name_from, escaped } => self.text(rest, name_from, escaped)?,
                Place::Audio(mut text) => {
                    if let Some(after) = text.push(rest, audio)? {
                        text.finish(audio)?;
                        after
                    } else {
                        self.place = Place::Audio(text);
                        &[]
                    }
                }
            };
        }
        Ok(())
    }

    /// Returns the options in their order, without the audio. An `input_audio` keeps its members other than `data`.
    pub fn finish(self) -> Result<Map<String, Value>, JsonError> {
        if let Place::Audio(text) = self.place {
            return Err(JsonError::AudioCutShort { field: text.field() });
        }
        let options = options::read(&self.skeleton)?;
        if self.found.is_none() {
            return Err(JsonError::AudioMissing { misplaced: options::misplaced_audio(&options) });
        }
        Ok(options)
    }

    /// Reads up to the next string and enters it. Returns the remaining text.
    fn structure<'a>(&mut self, text: &'a [u8]) -> Result<&'a [u8], JsonError> {
        let (structure, string) = text.split_at(memchr(b'"', text).unwrap_or(text.len()));
        self.keep(structure)?;
        for &byte in structure {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
                b',' => self.awaits_name = self.nested == 0,
                b'{' | b'[' => self.open(byte)?,
                b'}' | b']' => self.close(),
                _ => self.expect_other(byte)?,
            }
        }
        match string.split_first() {
            None => Ok(&[]),
            Some((_, after)) => {
                self.enter_string()?;
                Ok(after)
            }
        }
    }

    /// Reads up to the end of a string that is not the audio. Returns the remaining text.
    fn text<'a>(&mut self, text: &'a [u8], name_from: Option<usize>, escaped: bool) -> Result<&'a [u8], JsonError> {
        // A character after a backslash never ends the string.
        let begin = usize::from(escaped);
        let special = text.get(begin..).and_then(|text| memchr2(b'"', b'\\', text));
        let Some(at) = special.map(|at| begin + at) else {
            self.keep(text)?;
            self.place = Place::Text { name_from, escaped: false };
            return Ok(&[]);
        };
        let (string, after) = text.split_at(at + 1);
        self.keep(string)?;
        if string.ends_with(b"\\") {
            self.place = Place::Text { name_from, escaped: true };
        } else if let Some(from) = name_from {
            self.member = self.member_named(from);
            self.awaits_name = false;
        }
        Ok(after)
    }

    fn enter_string(&mut self) -> Result<(), JsonError> {
        if self.nested == 0 && self.awaits_name {
            self.place = Place::Text { name_from: Some(self.skeleton.len()), escaped: false };
            return self.keep(b"\"");
        }
        match self.take_member() {
            Member::Audio(field) => {
                if let Some(first) = self.found.replace(field) {
                    return Err(JsonError::AudioRepeated { first, second: field });
                }
                self.place = Place::Audio(AudioText::new(field));
                self.keep(b"\"\"")
            }
            Member::InputAudio => Err(JsonError::InputAudioNotObject { came: kind_of_value(b'"') }),
            Member::Other => {
                self.place = Place::Text { name_from: None, escaped: false };
                self.keep(b"\"")
            }
        }
    }

    fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        let came = kind_of_value(bracket);
        self.object = match (self.take_member(), self.object) {
            (Member::Audio(field), _) => return Err(JsonError::AudioNotString { field, came }),
            (Member::InputAudio, _) if bracket == b'{' => Object::InputAudio,
            (Member::InputAudio, _) => return Err(JsonError::InputAudioNotObject { came }),
            (Member::Other, Object::Outside) if bracket == b'{' && self.nested == 0 => Object::Body,
            (Member::Other, _) => {
                self.nested += 1;
                return Ok(());
            }
        };
        self.awaits_name = true;
        Ok(())
    }

    fn close(&mut self) {
        if self.nested > 0 {
            self.nested -= 1;
            return;
        }
        self.object = if self.object == Object::InputAudio { Object::Body } else { Object::Outside };
        self.awaits_name = false;
        self.member = Member::Other;
    }

    /// Reads a byte of a value that is neither string nor container.
    fn expect_other(&mut self, byte: u8) -> Result<(), JsonError> {
        let came = kind_of_value(byte);
        match self.take_member() {
            Member::Audio(field) => Err(JsonError::AudioNotString { field, came }),
            Member::InputAudio => Err(JsonError::InputAudioNotObject { came }),
            Member::Other => Ok(()),
        }
    }

    /// Returns the member whose value begins here, and clears it: a member has only one value.
    fn take_member(&mut self) -> Member {
        if self.nested == 0 { mem::replace(&mut self.member, Member::Other) } else { Member::Other }
    }

    /// Returns the member whose name was just kept. An invalid string names no member, and is refused at the end.
    fn member_named(&self, from: usize) -> Member {
        let name = self.skeleton.get(from..).and_then(|name| serde_json::from_slice::<String>(name).ok());
        match (self.object, name.as_deref()) {
            (Object::Body, Some("audio")) => Member::Audio(AudioField::Audio),
            (Object::Body, Some("input_audio")) => Member::InputAudio,
            (Object::InputAudio, Some("data")) => Member::Audio(AudioField::InputAudioData),
            _ => Member::Other,
        }
    }

    fn keep(&mut self, text: &[u8]) -> Result<(), JsonError> {
        if self.skeleton.len() + text.len() > self.max_skeleton {
            return Err(JsonError::TooLarge { limit: self.max_skeleton });
        }
        self.skeleton.extend_from_slice(text);
        Ok(())
    }
}
