//! The spool: one recording that a writer appends to, and that any number of readers read from its start while they
//! wait for its end.
//!
//! A recording stays in memory while it is small and the memory quota has space for it; beyond that it goes to a
//! private file. The file is created without a name, so the system deletes it when the last handle closes, even if the
//! process crashes. The most recent bytes are in memory until they are written, so a reader that keeps pace never reads
//! the file.
//!
//! - [`SpoolQuota`]: the memory and disk that all recordings may take; [`SpoolRoom`]: disk reserved for pieces to come
//! - [`SpoolWriter`]: takes bytes as they arrive; [`BlockingWriter`]: takes bytes that this process makes
//! - [`Spool`]: a handle for reading, as often as a retry needs; [`HeldSpool`]: a complete recording whose last byte is
//!   still held back from early readers
//! - [`SpoolLog`]: bytes that are appended, and read from any place while they are
//! - `state`: the state that writer and readers of a recording share

mod blocking;
mod error;
mod handle;
mod log;
mod probe;
mod quota;
mod reader;
mod room;
mod state;
#[cfg(test)]
mod tests;
mod writer;

pub use blocking::BlockingWriter;
pub use error::SpoolError;
pub use handle::{HeldSpool, Spool};
pub use log::{LogRead, SpoolLog};
pub use probe::{SpoolDirectoryError, probe_directory};
pub use quota::{SpoolQuota, SpoolUsage};
pub use reader::SpoolSource;
pub use room::SpoolRoom;
pub use writer::SpoolWriter;
