//! Audio that is still being spoken: a live session takes it piece by piece, cuts it into turns at pauses, sends each turn
//! to a provider as a file, and keeps the words as events that readers resume anywhere.
//!
//! - [`LiveSessions`]: all sessions of the gateway, by [`LiveId`]
//! - [`LiveSession`]: the handle of one, for every connection: it takes audio, and shows the [`Status`]
//! - [`start`]: the task of a session, made of a [`LiveWork`], which alone changes the session. `task` is its loop; `decoder`
//!   works beside it; `ending` writes its errors; `turns` sends the turns and joins their
//!   answers in order (`turn_sender` is one turn's way); `credit` is what the caller has admitted ahead of the audio;
//!   `clocks` are the times at which a session ends by itself
//! - `event_log`: the events, and the text of all deltas; `reader`: a reader of them
//! - [`LiveFailure`]: what goes wrong in a session; [`PieceRefused`]: what goes wrong with one piece of audio

mod clocks;
mod credit;
mod decoder;
mod ending;
mod error;
mod event_log;
mod id;
mod reader;
mod registry;
mod session;
mod status;
mod task;
#[cfg(test)]
mod tests;
mod turn_sender;
mod turns;
mod work;

pub use credit::lease_of;
pub use error::{LiveFailure, PieceRefused};
pub use event_log::EventLogError;
pub use id::LiveId;
pub use reader::{EventReader, ReadEventsError};
pub use registry::{LiveSessions, SessionSlot};
pub use session::{LiveSession, PieceOrigin, PieceUpload, SessionFacts};
pub use status::{Phase, Position, Status};
pub use task::{AHEAD_WAIT, MAX_AHEAD, start};
pub use turn_sender::TurnSender;
pub use work::LiveWork;
