//! The id of a live session.

use std::borrow::Borrow;
use std::fmt;

use uuid::Uuid;

/// The id of a live session: `live_` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LiveId(Box<str>);

impl LiveId {
    /// Makes a new id.
    #[expect(clippy::new_without_default, reason = "each id is another one")]
    pub fn new() -> Self {
        Self(format!("live_{}", Uuid::now_v7().simple()).into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for LiveId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
