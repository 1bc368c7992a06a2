//! Fair shares of a bounded resource: concurrent requests, the spool quota on disk, places in the queues for processor time.
//!
//! A single rule applies to all of them. Four fifths of the capacity are open to any caller. A caller gets units of the
//! last fifth only while it holds less than its equal share: the capacity divided by the number of callers that hold
//! units. While another caller holds more than its equal share, the caller also leaves a fifth of the free part to the
//! next one. So a single caller gets four fifths, and a caller without units gets one as long as any is free.
//!
//! All sessions of one maker count as that maker. They divide the maker's four fifths by the same rule, so that no
//! session can take everything.
//!
//! - `level`: the rule, for one set of holders
//! - [`Shares`]: the rule for callers and for the sessions of each; [`FairShare`]: `Shares` behind a lock, with guards;
//!   [`ReservedRoom`]: units that are reserved for several guards to come
//! - `queue`: a bounded queue that callers share by the rule, and that serves them in `turns`; `threads`: the threads that
//!   take work from such a queue
//!
//! The second half of the rule, leaving a part of the free units, comes from switches with a shared buffer: A. K.
//! Choudhury, E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998), here with α = 4.

mod key;
mod level;
mod queue;
mod refused;
mod reservation;
mod shares;
#[cfg(test)]
mod tests;
mod threads;
mod turns;

pub use key::ShareKey;
pub use level::max_of_one;
pub(crate) use queue::Ticket;
pub use refused::Refused;
pub use reservation::{FairShare, Reservation, ReservedRoom, Room};
pub use shares::Shares;
pub use threads::ThreadsLoad;
pub(crate) use threads::{FairThreads, PushError, Turned, WorkQueue};
