//! Secrets: written in place, or in a file that the key's `_file` twin names.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::reader::Section;

/// A secret and the file that it was read from, if it was.
#[derive(Debug, Clone)]
pub struct Secret {
    /// What must not be shown.
    pub value: SecretString,
    /// Where it can be read again when it has been changed.
    pub file: Option<PathBuf>,
}

/// Why a file holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is not there, or not for this process to read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl Secret {
    /// Whether it can stand in a header.
    pub fn is_one_word(&self) -> bool {
        is_one_word(&self.value)
    }
}

/// Whether a secret can stand in a header, where a line break or a letter beyond ASCII cannot.
pub fn is_one_word(secret: &SecretString) -> bool {
    secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
}

/// The secret in a file. Editors and `echo` end one with a line break that is no part of it.
pub fn secret_in(path: &Path) -> Result<SecretString, SecretFileError> {
    let text = std::fs::read_to_string(path)?;
    match text.trim() {
        "" => Err(SecretFileError::Empty),
        secret => Ok(secret.to_owned().into()),
    }
}

pub(super) fn read(section: &mut Section, key: &'static str, file_key: &'static str) -> Option<SecretString> {
    read_traced(section, key, file_key).map(|secret| secret.value)
}

/// The same with where it came from.
pub(super) fn read_traced(section: &mut Section, key: &'static str, file_key: &'static str) -> Option<Secret> {
    let inline: Option<SecretString> = section.optional(key);
    let file: Option<PathBuf> = section.optional(file_key);
    let path = match (inline, file) {
        (Some(_), Some(_)) => {
            section.problem(file_key, format!("{key} is given too; give one of them"));
            return None;
        }
        (inline, None) => return inline.map(|value| Secret { value, file: None }),
        (None, Some(path)) => path,
    };
    match secret_in(&path) {
        Ok(value) => Some(Secret { value, file: Some(path) }),
        Err(error) => {
            section.problem(file_key, format!("{} {error}", path.display()));
            None
        }
    }
}
