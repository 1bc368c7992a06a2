//! Secrets: written as a value, or in a file that the key's `_file` twin names.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Section;

/// True if a secret can be the value of a header, which allows no line break and no letter beyond ASCII.
pub(super) fn is_one_word(secret: &SecretString) -> bool {
    secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads the secret at `key`, or in the file that `file_key` names. Editors and `echo` end the file with a line break
/// that is not part of the secret.
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
    let found = section.file(&path).map_err(|error| format!("cannot be read: {error}"));
    match found.as_deref().map(str::trim) {
        Ok("") => section.problem(file_key, format!("{} is empty", path.display())),
        Ok(secret) => return Some(secret.to_owned().into()),
        Err(error) => section.problem(file_key, format!("{} {error}", path.display())),
    }
    None
}
