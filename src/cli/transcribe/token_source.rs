//! The token for a gateway, from the command line, the environment or a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::arguments::GatewayArguments;
use super::environment::variable;
use super::input::shown;
use crate::domain::text::trim_byte_order_mark;

/// The largest file with a token, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The reason why there is no token. Its text never quotes one.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// No token is given.
    #[error(
        "--url needs a token, which the gateway's operator makes (`voxgate token --sub you`): put it into VOXGATE_TOKEN, or \
         into a file that --token-file names"
    )]
    Missing,
    /// A token without a gateway.
    #[error("{0} is a token for the gateway that --url names, and there is no --url")]
    WithoutUrl(&'static str),
    /// A file that cannot be read.
    #[error("the token cannot be read from {file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// The error of the system.
        error: io::Error,
    },
    /// Text that is no token.
    #[error("what is given as a token is none: it takes one word of ASCII letters, digits and signs")]
    Invalid,
}

/// Returns the value of the header with the token.
pub(super) fn authorization(token: &SecretString) -> Result<HeaderValue, TokenError> {
    let token = token.expose_secret();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Invalid);
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| TokenError::Invalid)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Finds the token. The command line comes before the environment.
pub(super) fn find(arguments: &GatewayArguments) -> Result<SecretString, TokenError> {
    if let Some(token) = &arguments.token {
        return Ok(trimmed(token.expose_secret()));
    }
    if let Some(file) = &arguments.token_file {
        return read(file);
    }
    if let Some(token) = variable("VOXGATE_TOKEN") {
        return Ok(trimmed(&token));
    }
    variable("VOXGATE_TOKEN_FILE").map_or(Err(TokenError::Missing), |file| read(&PathBuf::from(file)))
}

/// Refuses a token on the command line where no gateway is named. In the environment it may be for other programs.
pub(super) fn refuse_without_url(arguments: &GatewayArguments) -> Result<(), TokenError> {
    match (&arguments.token, &arguments.token_file) {
        (Some(_), _) => Err(TokenError::WithoutUrl("--token")),
        (_, Some(_)) => Err(TokenError::WithoutUrl("--token-file")),
        (None, None) => Ok(()),
    }
}

fn read(path: &Path) -> Result<SecretString, TokenError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    read.map_err(|error| TokenError::Unreadable { file: shown(path), error })?;
    Ok(trimmed(&text))
}

fn trimmed(text: &str) -> SecretString {
    SecretString::from(trim_byte_order_mark(text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let header = authorization(&trimmed("\u{feff}abc.def\n")).unwrap();
        assert_eq!(header, "Bearer abc.def");
        assert!(!format!("{header:?}").contains("abc"));
        for text in ["", "two words", "schl\u{fc}ssel"] {
            let refused = authorization(&trimmed(text)).unwrap_err().to_string();
            assert!(text.is_empty() || !refused.contains(text), "{refused}");
        }
    }
}
