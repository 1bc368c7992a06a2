//! Secrets: written in place, or in a file that the key's `_file` twin names.

use std::path::PathBuf;

use secrecy::SecretString;

use super::reader::Section;

pub(super) fn read(section: &mut Section, key: &'static str, file_key: &'static str) -> Option<SecretString> {
    let inline: Option<SecretString> = section.optional(key);
    let file: Option<PathBuf> = section.optional(file_key);
    let path = match (inline, file) {
        (Some(_), Some(_)) => {
            section.problem(file_key, format!("{key} is given too; give one of them"));
            return None;
        }
        (inline, None) => return inline,
        (None, Some(path)) => path,
    };
    match std::fs::read_to_string(&path) {
        // Editors and `echo` end a file with a line break that is no part of the secret.
        Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned().into()),
        Ok(_) => {
            section.problem(file_key, format!("{} is empty", path.display()));
            None
        }
        Err(error) => {
            section.problem(file_key, format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}
