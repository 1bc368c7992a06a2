//! The reading of a body that is the audio of a live session.

use std::sync::Arc;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Payload};
use futures_util::future::{LocalBoxFuture, pending};
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;

use crate::intake::{Spool, SpoolQuota, SpoolWriter};
use crate::live::{LiveFailure, LiveSession, MAX_AHEAD, PieceOrigin, PieceRefused, Position};
use crate::speech::{LiveFormat, LiveSoundError};

const BYTES_PER_SAMPLE: u64 = 2;
/// The bytes of a second in a container: those of PCM with 48 kHz and two channels.
const MAX_BYTES_PER_SECOND: u64 = 192_000;

/// The body of one request, on its way to its session. What comes while the session is busy is the next piece, so that the
/// body is always read: a proxy that cannot send stops for good.
pub(super) struct Feed {
    session: Arc<LiveSession>,
    body: Payload,
    quota: Arc<SpoolQuota>,
    next_seq: u64,
    /// The number of bytes that may wait for the session.
    max_waiting: u64,
    /// The piece that waits for the session; `None` if nothing has come since the last one.
    piece: Option<SpoolWriter>,
    /// The piece that the session is taking.
    adding: Option<LocalBoxFuture<'static, Result<Position, PieceRefused>>>,
}

/// The reason why no more is read.
enum Ended {
    /// The body has ended, or the client has gone: what came is transcribed.
    Body,
    /// The session is over, or takes no more. The client learns the reason from the events.
    Session,
    /// The rest cannot be taken.
    Failed(LiveFailure),
}

/// The wait before a piece is sent again while the threads that decode have no place for it, and how often that is done.
const BUSY_WAIT: Duration = Duration::from_millis(250);
const MAX_BUSY: u32 = 120;

impl Feed {
    pub(super) fn new(session: Arc<LiveSession>, body: Payload, quota: &Arc<SpoolQuota>) -> Self {
        let bytes_per_second = match session.facts().format {
            LiveFormat::Pcm16 { rate, channels } => u64::from(rate) * u64::from(channels) * BYTES_PER_SAMPLE,
            LiveFormat::Auto => MAX_BYTES_PER_SECOND,
        };
        let max_waiting = bytes_per_second.saturating_mul(MAX_AHEAD.as_secs());
        Self { session, body, quota: Arc::clone(quota), next_seq: 0, max_waiting, piece: None, adding: None }
    }

    /// Reads the body in a task of its own, on this worker.
    pub(super) fn start(self) {
        tokio::task::spawn_local(self.run());
    }

    async fn run(mut self) {
        let ended = loop {
            self.send();
            let step = tokio::select! {
                added = added(&mut self.adding) => self.take_answer(added),
                chunk = self.body.next() => self.take(chunk).await,
                () = self.session.over() => Some(Ended::Session),
            };
            if let Some(ended) = step {
                break ended;
            }
        };
        match ended {
            Ended::Body => self.finish(None).await,
            // The body is read no further.
            Ended::Session => {}
            Ended::Failed(failure) => self.finish(Some(failure)).await,
        }
    }

    /// Sends the piece that waits, if the session is free.
    fn send(&mut self) {
        if self.adding.is_some() {
            return;
        }
        let Some(piece) = self.piece.take() else { return };
        let (session, seq) = (Arc::clone(&self.session), self.next_seq);
        let piece = piece.finish().release();
        self.adding = Some(add(session, seq, piece).boxed_local());
    }

    fn take_answer(&mut self, added: Result<Position, PieceRefused>) -> Option<Ended> {
        self.adding = None;
        match added {
            Ok(position) => {
                self.next_seq = position.next_seq;
                None
            }
            Err(PieceRefused::Sound(error)) => Some(Ended::Failed(LiveFailure::Sound(error))),
            Err(_) => Some(Ended::Session),
        }
    }

    async fn take(&mut self, chunk: Option<Result<Bytes, PayloadError>>) -> Option<Ended> {
        let Some(Ok(chunk)) = chunk else { return Some(Ended::Body) };
        let piece = match &mut self.piece {
            Some(piece) => piece,
            none => match SpoolWriter::new(&self.quota, self.session.share_key(), None) {
                Ok(piece) => none.insert(piece),
                Err(_) => return Some(Ended::Failed(LiveFailure::NoRoom)),
            },
        };
        if piece.append(&chunk).await.is_err() {
            return Some(Ended::Failed(LiveFailure::NoRoom));
        }
        let is_too_far = piece.length() > self.max_waiting;
        is_too_far.then_some(Ended::Failed(LiveFailure::TooFarAhead { max: MAX_AHEAD }))
    }

    /// Sends what came, and ends the session: well, or with this failure.
    async fn finish(mut self, failure: Option<LiveFailure>) {
        loop {
            self.send();
            if self.adding.is_none() {
                break;
            }
            let answer = added(&mut self.adding).await;
            match self.take_answer(answer) {
                None => {}
                Some(Ended::Failed(failure)) => return self.session.fail(failure).await,
                Some(_) => break,
            }
        }
        match failure {
            Some(failure) => self.session.fail(failure).await,
            None => self.session.end().await,
        }
    }
}

/// Adds a piece, and tries again while the threads that decode have no place for it.
async fn add(session: Arc<LiveSession>, seq: u64, piece: Spool) -> Result<Position, PieceRefused> {
    let mut tries = 0;
    loop {
        let added = session.add_audio(seq, piece.clone(), PieceOrigin::Stream).await;
        let is_busy = matches!(added, Err(PieceRefused::Sound(LiveSoundError::Busy(_))));
        if !is_busy || tries >= MAX_BUSY {
            return added;
        }
        tries += 1;
        sleep(BUSY_WAIT).await;
    }
}

/// Waits for the answer of the session. Never ends while the session takes no piece.
async fn added(
    adding: &mut Option<LocalBoxFuture<'static, Result<Position, PieceRefused>>>,
) -> Result<Position, PieceRefused> {
    match adding {
        Some(adding) => adding.await,
        None => pending().await,
    }
}
