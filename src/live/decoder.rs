//! The decoder of a session, which works while the session goes on.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::error::PieceRefused;
use super::session::PieceOrigin;
use super::status::Position;
use crate::intake::Spool;
use crate::intake::media::{Codec, Container};
use crate::speech::{CutReport, Heard, LiveSound, LiveSoundError};

/// The decoder of a session.
pub(super) struct Decoder {
    sound: Sound,
    /// True if the audio has ended while a piece is decoded.
    is_end_due: bool,
}

/// The sound, which is away while it is worked on.
enum Sound {
    Idle(Box<LiveSound>),
    Working(LocalBoxFuture<'static, Worked>),
    Ended,
}

/// The end of some work.
struct Worked {
    sound: Box<LiveSound>,
    heard: Result<Heard, LiveSoundError>,
    request: Option<PieceRequest>,
}

/// A piece that a client has sent, and whose answer it waits for.
pub(super) struct PieceRequest {
    pub(super) origin: PieceOrigin,
    pub(super) reply: oneshot::Sender<Result<Position, PieceRefused>>,
}

/// The result of some work.
pub(super) struct Decoded {
    pub(super) heard: Result<Heard, LiveSoundError>,
    /// The request that brought the piece; `None` for the end of the audio.
    pub(super) request: Option<PieceRequest>,
    pub(super) report: CutReport,
    pub(super) media: Option<(Container, Option<Codec>)>,
}

impl Decoder {
    pub(super) fn new(sound: LiveSound) -> Self {
        Self { sound: Sound::Idle(Box::new(sound)), is_end_due: false }
    }

    /// Returns true while something is decoded.
    pub(super) fn is_working(&self) -> bool {
        matches!(self.sound, Sound::Working(_))
    }

    /// Returns true if the last turns have come out.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.sound, Sound::Ended)
    }

    /// Begins to decode a piece. Nothing else is decoded.
    pub(super) fn push(&mut self, piece: Spool, request: PieceRequest) {
        let Sound::Idle(mut sound) = std::mem::replace(&mut self.sound, Sound::Ended) else { return };
        let work = async move {
            let heard = sound.push(piece).await;
            Worked { sound, heard, request: Some(request) }
        };
        self.sound = Sound::Working(work.boxed_local());
    }

    /// Ends the audio: the last turns come out, after the piece that is decoded now.
    pub(super) fn finish(&mut self) {
        match std::mem::replace(&mut self.sound, Sound::Ended) {
            Sound::Idle(mut sound) => {
                let work = async move {
                    let heard = sound.finish().await;
                    Worked { sound, heard, request: None }
                };
                self.sound = Sound::Working(work.boxed_local());
            }
            Sound::Working(work) => {
                self.sound = Sound::Working(work);
                self.is_end_due = true;
            }
            Sound::Ended => {}
        }
    }

    /// Waits for the end of the work. Never ends while there is none. If the wait is given up, it can be begun again.
    pub(super) async fn decoded(&mut self) -> Decoded {
        let Worked { sound, heard, request } = match &mut self.sound {
            Sound::Working(work) => work.await,
            Sound::Idle(_) | Sound::Ended => std::future::pending().await,
        };
        let (report, media) = (sound.report(), sound.media());
        self.sound = if request.is_none() { Sound::Ended } else { Sound::Idle(sound) };
        if std::mem::take(&mut self.is_end_due) {
            self.finish();
        }
        Decoded { heard, request, report, media }
    }
}
