//! `accepts`: the file formats that a provider takes, in its own table or in a model entry.

use std::collections::BTreeSet;

use super::reader::Section;
use crate::domain::FileFormat;

/// Other names, which providers' documentation uses, of formats that the gateway does not tell apart.
const ALIASES: &[(&str, FileFormat)] = &[
    ("m4a", FileFormat::Mp4),
    ("mov", FileFormat::Mp4),
    ("mpeg", FileFormat::Mp3),
    ("mpga", FileFormat::Mp3),
    ("oga", FileFormat::Ogg),
    ("opus", FileFormat::Ogg),
    ("mkv", FileFormat::Webm),
    ("aif", FileFormat::Aiff),
];

/// Reads `accepts`. A list that leaves nothing to encode the sound as is a mistake.
pub(super) fn read(section: &mut Section) -> Option<BTreeSet<FileFormat>> {
    const KEY: &str = "accepts";
    let names: Vec<String> = section.optional(KEY)?;
    let (mut formats, mut is_known) = (BTreeSet::new(), true);
    for name in &names {
        let alias = ALIASES.iter().find(|(alias, _)| alias == name).map(|(_, format)| *format);
        match alias.map_or_else(|| name.parse(), Ok) {
            Ok(format) => {
                formats.insert(format);
            }
            Err(error) => {
                is_known = false;
                section.problem(KEY, format!("got \"{name}\"; {error}"));
            }
        }
    }
    if is_known && !formats.iter().any(|format| ENCODED.contains(format)) {
        section.problem(KEY, "has neither flac nor wav, one of which every provider takes; leave it out for all");
    }
    Some(formats)
}

/// The formats that the gateway can write.
const ENCODED: [FileFormat; 2] = [FileFormat::Flac, FileFormat::Wav];
