//! The exit status of the command.

/// The exit status of a run in which nothing could be tried.
pub(in crate::cli) const NOTHING_TRIED: u8 = 2;
/// The exit status of a run in which some recordings, or parts of one, failed.
pub(super) const SOME_FAILED: u8 = 1;
