//! Enums whose values are words that clients, operators or records write.

use super::text::alternatives;

/// The error of a word that names no value. Its text follows the word: `got "x"; takes "a" or "b"`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("takes {}", alternatives(allowed, '"'))]
pub struct UnknownVariant {
    allowed: Vec<&'static str>,
}

impl UnknownVariant {
    /// Makes the error from the words that are allowed.
    pub fn among(allowed: impl IntoIterator<Item = &'static str>) -> Self {
        Self { allowed: allowed.into_iter().collect() }
    }
}

/// Implements `ALL`, `as_str`, `Display` and `FromStr` for an enum of words, from one row for each value.
macro_rules! words {
    ($name:ident { $($value:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order in which messages list them.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// Returns the word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownVariant;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|value| value.as_str() == word);
                let words = || Self::ALL.iter().map(|value| value.as_str());
                found.copied().ok_or_else(|| $crate::domain::UnknownVariant::among(words()))
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::domain::terms::{Format, Task};

    #[test]
    fn every_word_is_read_as_it_is_written_and_no_other() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(*format));
        }
        for wrong in ["", "JSON", " json", "xml"] {
            assert!(wrong.parse::<Format>().is_err(), "{wrong:?}");
        }
        let error = "sing".parse::<Task>().unwrap_err();
        assert_eq!(error.to_string(), "takes \"transcribe\" or \"translate\"");
    }
}
