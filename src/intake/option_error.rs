//! The error of an option.

use std::borrow::Cow;

/// An error in an option.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    /// The value is not allowed.
    #[error("Invalid value for '{name}': {got}. {allowed}")]
    Invalid {
        /// The option's name.
        name: &'static str,
        /// The received value, for people.
        got: String,
        /// The allowed values, as a sentence.
        allowed: Cow<'static, str>,
    },
    /// An option that may be given only once came again.
    #[error("'{name}' was given more than once.")]
    Repeated {
        /// The option's name.
        name: &'static str,
    },
    /// Two options that exclude each other.
    #[error("'{name}' cannot be used together with '{with}'.")]
    Conflict {
        /// The option to leave out.
        name: &'static str,
        /// The other option.
        with: &'static str,
    },
}

impl OptionError {
    /// Returns the name of the invalid option.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid { name, .. } | Self::Repeated { name } | Self::Conflict { name, .. } => name,
        }
    }
}
