//! One session: its sound goes to the gateway while its events come.

use std::pin::pin;
use std::time::Duration;

use super::super::refusal::Refusal;
use super::error::LiveError;
use super::link::Link;
use super::output::Output;
use super::reading::{ReadEnd, Reader};
use super::report::Report;
use super::sending::{Sender, Sent};
use super::sound::Sound;

/// A session that is open.
pub(super) struct Session<'a> {
    pub(super) link: &'a Link<'a>,
    pub(super) sound: &'a Sound,
    pub(super) report: &'a Report,
    pub(super) id: &'a str,
    pub(super) keep_alive: Option<Duration>,
}

/// The end of a session.
pub(super) enum SessionEnd {
    /// All that the gateway has taken is transcribed.
    Done,
    /// An error has ended it.
    Failed(Refusal),
    /// The gateway does not have it any more.
    Lost(String),
}

impl Session<'_> {
    /// Sends the sound and writes the words, up to the end of the session.
    pub(super) async fn run(&self, output: &mut Output) -> Result<SessionEnd, LiveError> {
        let Self { link, sound, report, id, keep_alive } = *self;
        let sender = Sender { link, sound, report, id, keep_alive };
        let reader = Reader { link, sound, report, id };
        let (mut sending, mut reading) = (pin!(sender.run()), pin!(reader.run(output)));
        let mut is_sending = true;
        loop {
            tokio::select! {
                sent = &mut sending, if is_sending => match sent? {
                    Sent::All => is_sending = false,
                    Sent::Lost(why) => return Ok(SessionEnd::Lost(why)),
                },
                read = &mut reading => return Ok(match read? {
                    ReadEnd::Done(length) => {
                        sound.heard_all(length);
                        SessionEnd::Done
                    }
                    ReadEnd::Failed(refusal) => SessionEnd::Failed(refusal),
                    ReadEnd::Lost(why) => SessionEnd::Lost(why),
                }),
            }
        }
    }
}
