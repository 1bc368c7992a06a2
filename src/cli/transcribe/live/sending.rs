//! The sound on its way to the gateway, piece after piece.

use std::time::Duration;

use reqwest::StatusCode;

use super::answer::Answer;
use super::error::LiveError;
use super::link::Link;
use super::report::Report;
use super::sound::Sound;
use super::sound_format::SoundFormat;

/// The number of pieces in a row that may be no sound.
const MAX_NO_SOUND: u32 = 8;

/// The sender of a session's sound.
pub(super) struct Sender<'a> {
    pub(super) link: &'a Link<'a>,
    pub(super) sound: &'a Sound,
    pub(super) report: &'a Report,
    pub(super) id: &'a str,
    /// The silence after which an empty piece keeps the session open.
    pub(super) keep_alive: Option<Duration>,
}

/// The end of sending.
pub(super) enum Sent {
    /// Everything that the gateway wants to have was sent. The rest is in the events.
    All,
    /// The gateway does not have the session any more.
    Lost(String),
}

/// What the gateway does with a piece.
enum Taken {
    Yes,
    No,
    Ended,
    Lost(String),
}

impl Sender<'_> {
    /// Sends the sound up to its end, and ends the session.
    pub(super) async fn run(&self) -> Result<Sent, LiveError> {
        let mut refused = 0;
        while let Some(piece) = self.sound.next(self.keep_alive).await {
            let answer = self.link.send(self.id, &piece).await?;
            match self.read(&answer, refused)? {
                Taken::Yes => {
                    self.sound.taken();
                    refused = 0;
                }
                Taken::No => refused += 1,
                Taken::Ended => return Ok(Sent::All),
                Taken::Lost(why) => return Ok(Sent::Lost(why)),
            }
        }
        let answer = self.link.end(self.id).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(Sent::All),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Sent::Lost(answer.refusal().to_string())),
            _ => Err(LiveError::Refused(Box::new(answer.refusal()))),
        }
    }

    /// Reads the answer to a piece. `refused` is the number of pieces before it that were no sound.
    fn read(&self, answer: &Answer, refused: u32) -> Result<Taken, LiveError> {
        let refusal = answer.refusal();
        let is_no_sound = refusal.code.as_deref() == Some("invalid_audio");
        // Without a piece of PCM, the times of all that follow would be wrong.
        let may_leave_out = self.sound.format() == SoundFormat::Container && self.sound.is_begun();
        match answer.status {
            StatusCode::ACCEPTED => Ok(Taken::Yes),
            StatusCode::BAD_REQUEST if is_no_sound && may_leave_out && refused < MAX_NO_SOUND => {
                self.sound.leave_out();
                self.report.missing(&format!("a part of the sound is left out: {refusal}"));
                Ok(Taken::No)
            }
            StatusCode::CONFLICT => Ok(match answer.next_seq() {
                Some(next_seq) if self.sound.go_on_with(next_seq) => Taken::No,
                Some(_) => Taken::Lost(refusal.to_string()),
                None => Taken::Ended,
            }),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Taken::Lost(refusal.to_string())),
            _ => Err(LiveError::Refused(Box::new(refusal))),
        }
    }
}
