//! The text of a field, in the charset that its part or its form names (RFC 7578 §4.5 and §4.6).

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::domain::text::printable;
use crate::intake::IntakeError;
use crate::intake::fields::Fields;

/// The field with which a form names the charset of its texts.
pub(super) const CHARSET_FIELD: &str = "_charset_";

/// The maximum length of a charset's name in a message.
const MAX_SHOWN_LABEL: usize = 40;

/// A text whose charset a later field may still name.
struct Undecided {
    /// The index among the fields.
    place: usize,
    name: String,
    bytes: Vec<u8>,
}

/// A converter from field bytes to text.
#[derive(Default)]
pub(super) struct Texts {
    /// The charset that `_charset_` names.
    default: Option<&'static Encoding>,
    /// The texts that are not ASCII and have no charset of their own, until the `_charset_` field, which usually comes
    /// first.
    undecided: Vec<Undecided>,
}

impl Texts {
    /// Adds a field to `fields`. `charset` is the charset that its part names.
    pub(super) fn add(
        &mut self,
        fields: &mut Fields,
        name: String,
        charset: Option<&str>,
        bytes: Vec<u8>,
    ) -> Result<(), IntakeError> {
        if name == CHARSET_FIELD {
            fields.visit(&name)?;
            return self.name_default(fields, &bytes);
        }
        let encoding = charset.map(|label| find(label, &name)).transpose()?.or(self.default);
        if let Some(encoding) = encoding {
            let text = decode(encoding, &bytes, &name)?;
            return fields.add(name, text);
        }
        if bytes.is_ascii() {
            let text = decode(UTF_8, &bytes, &name)?;
            return fields.add(name, text);
        }
        // A later field can still name another charset, so the bytes are decoded when the form is complete. Text of the same
        // length stands in their place, so that the bound on the size of all fields counts them.
        let text = String::from_utf8(bytes.clone()).unwrap_or_else(|_| "?".repeat(bytes.len()));
        self.undecided.push(Undecided { place: fields.pairs().len(), name: name.clone(), bytes });
        fields.add(name, text)
    }

    /// Decodes the texts without a named charset as UTF-8.
    pub(super) fn finish(self, fields: &mut Fields) -> Result<(), IntakeError> {
        self.undecided.into_iter().try_for_each(|Undecided { place, name, bytes }| {
            let text = decode(UTF_8, &bytes, &name)?;
            fields.replace(place, text)
        })
    }

    fn name_default(&mut self, fields: &mut Fields, label: &[u8]) -> Result<(), IntakeError> {
        if self.default.is_some() {
            return Err(IntakeError::Multipart("it names its charset twice".to_owned()));
        }
        let label = String::from_utf8_lossy(label).trim().to_owned();
        if label.is_empty() {
            return Ok(());
        }
        let encoding = find(&label, CHARSET_FIELD)?;
        self.default = Some(encoding);
        for Undecided { place, name, bytes } in self.undecided.drain(..) {
            let text = decode(encoding, &bytes, &name)?;
            fields.replace(place, text)?;
        }
        Ok(())
    }
}

/// Returns the charset of this label, by the names of the WHATWG's Encoding Standard §4.2. There `iso-8859-1` and
/// `us-ascii` are windows-1252, which has all of their characters at the same positions; `utf-16` without a byte order
/// mark is little-endian.
fn find(label: &str, name: &str) -> Result<&'static Encoding, IntakeError> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let shown = printable(label, MAX_SHOWN_LABEL);
        IntakeError::Charset { name: name.to_owned(), charset: shown }
    })
}

/// Decodes the bytes to text. A byte order mark is not part of the text; it distinguishes the two kinds of UTF-16.
fn decode(encoding: &'static Encoding, bytes: &[u8], name: &str) -> Result<String, IntakeError> {
    let (text, has_errors) = if [UTF_16LE, UTF_16BE].contains(&encoding) {
        let (text, _, has_errors) = encoding.decode(bytes);
        (text, has_errors)
    } else {
        encoding.decode_with_bom_removal(bytes)
    };
    if has_errors {
        return Err(IntakeError::NotText { name: name.to_owned(), charset: encoding.name() });
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Settings;

    fn fields() -> Fields {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[intake]\nmax_text_bytes = 100").unwrap();
        Fields::new(&Settings::load(Some(Path::new(file.path()))).unwrap().intake)
    }

    /// Reads a form of these fields, each with a charset and bytes.
    fn texts(parts: &[(&str, Option<&str>, &[u8])]) -> Result<Vec<(String, String)>, IntakeError> {
        let (mut fields, mut texts) = (fields(), Texts::default());
        for (name, charset, bytes) in parts {
            texts.add(&mut fields, (*name).to_owned(), *charset, bytes.to_vec())?;
        }
        texts.finish(&mut fields)?;
        Ok(fields.into_pairs())
    }

    #[test]
    fn a_text_is_the_same_in_any_charset_that_names_itself() {
        let utf_16 = |be: bool, bom: bool| -> Vec<u8> {
            let text = if bom { "\u{feff}Zürich" } else { "Zürich" };
            text.encode_utf16().flat_map(|unit| if be { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        for (charset, bytes) in [
            (None, "Zürich".as_bytes().to_vec()),
            (None, "\u{feff}Zürich".as_bytes().to_vec()),
            (Some("utf-8"), "Zürich".as_bytes().to_vec()),
            (Some("UTF8"), "Zürich".as_bytes().to_vec()),
            (Some("ISO-8859-1"), b"Z\xfcrich".to_vec()),
            (Some("latin1"), b"Z\xfcrich".to_vec()),
            (Some("iso-8859-15"), b"Z\xfcrich".to_vec()),
            (Some("windows-1252"), b"Z\xfcrich".to_vec()),
            (Some("macintosh"), b"Z\x9frich".to_vec()),
            (Some("utf-16"), utf_16(false, false)),
            (Some("utf-16"), utf_16(false, true)),
            (Some("utf-16"), utf_16(true, true)),
            (Some("UTF-16LE"), utf_16(false, false)),
            (Some("utf-16be"), utf_16(true, false)),
        ] {
            let pairs = texts(&[("prompt", charset, &bytes)]).unwrap_or_else(|error| panic!("{charset:?}: {error}"));
            assert_eq!(pairs, [("prompt".to_owned(), "Zürich".to_owned())], "{charset:?}");
        }
    }

    #[test]
    fn a_form_names_the_charset_of_its_texts_before_or_after_them() {
        let latin = ("prompt", None, b"Z\xfcrich".as_slice());
        let own = ("other", Some("utf-8"), "é".as_bytes());
        let named = (CHARSET_FIELD, None, b"iso-8859-1".as_slice());
        for order in [[latin, own, named], [named, latin, own], [latin, named, own]] {
            let mut pairs = texts(&order).unwrap();
            pairs.sort();
            assert_eq!(pairs, [("other".to_owned(), "é".to_owned()), ("prompt".to_owned(), "Zürich".to_owned())]);
        }
        // An empty `_charset_` names no charset.
        assert!(matches!(texts(&[(CHARSET_FIELD, None, b""), latin]), Err(IntakeError::NotText { .. })));
        assert!(texts(&[named, named]).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_in_their_charset_are_refused_by_name() {
        for (charset, bytes) in [
            (None, b"\xff\xfe\xfd".as_slice()),
            (None, b"Z\xfcrich"),
            (Some("utf-8"), b"Z\xfcrich"),
            (Some("utf-16le"), b"\x00\xd8"),
            (Some("shift_jis"), b"\x81"),
        ] {
            let error = texts(&[("prompt", charset, bytes)]).unwrap_err();
            assert!(matches!(&error, IntakeError::NotText { name, .. } if name == "prompt"), "{charset:?}: {error}");
        }
        for charset in ["utf-7", "utf-32", "x-unknown", "", "iso-2022-kr"] {
            let error = texts(&[("prompt", Some(charset), b"x")]).unwrap_err();
            assert!(matches!(&error, IntakeError::Charset { .. }), "{charset}: {error}");
        }
    }

    #[test]
    fn a_text_is_held_to_its_limit_by_what_it_becomes() {
        let latin = [0xe9; 60];
        assert!(matches!(
            texts(&[("prompt", Some("latin1"), &latin)]),
            Err(IntakeError::FieldTooLarge { allowed: 100, .. })
        ));
        assert!(matches!(
            texts(&[
                ("prompt", None, &latin[..40]),
                ("a", None, b"0123456789012345678901"),
                (CHARSET_FIELD, None, b"latin1")
            ]),
            Err(IntakeError::FieldTooLarge { allowed: 100, .. })
        ));
    }
}
