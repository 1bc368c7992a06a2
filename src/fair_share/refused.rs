//! The reasons to refuse units of a capacity.

/// The reasons to refuse units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Fewer units are free than requested.
    Exhausted,
    /// The free units are reserved for holders of fewer.
    OverShare,
}
