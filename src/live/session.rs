//! The handle of a live session, which every connection may use.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::error::PieceRefused;
use super::event_log::EventLog;
use super::id::LiveId;
use super::reader::{EventReader, ReadEventsError};
use super::status::{Phase, Position, Status};
use crate::domain::{AudioMs, Subject, UnixMs};
use crate::fair_share::{Refused, ShareKey};
use crate::intake::{Spool, SpoolQuota};
use crate::speech::LiveFormat;

/// The number of requests to a session's task that may wait.
const MAX_WAITING: usize = 16;

/// A live session. Its task alone changes it.
pub struct LiveSession {
    id: LiveId,
    subject: Subject,
    key: ShareKey,
    facts: SessionFacts,
    status: Mutex<Status>,
    pub(super) events: EventLog,
    pub(super) readers: AtomicUsize,
    commands: mpsc::Sender<Command>,
}

/// The facts of a session that do not change.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The name of the requested model.
    pub model: String,
    /// The time of opening.
    pub created_at: UnixMs,
    /// The time at which the session ends by itself.
    pub expires_at: UnixMs,
    /// The form of the audio.
    pub format: LiveFormat,
    /// The time without audio after which the session ends by itself.
    pub idle_timeout: Duration,
}

/// A request to the task of a session.
pub(super) enum Command {
    Audio {
        seq: u64,
        piece: Spool,
        origin: PieceOrigin,
        reply: oneshot::Sender<Result<Position, PieceRefused>>,
    },
    End,
    Delete,
    /// More audio has come than may wait.
    TooFarAhead,
}

/// The way on which a piece of audio came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceOrigin {
    /// A request of its own, which can be told to come again later.
    Request,
    /// The body of a request that goes on, which must be read.
    Stream,
}

/// The receiver of what clients ask of a session, for its task.
pub struct Commands(pub(super) mpsc::Receiver<Command>);

impl LiveSession {
    /// Creates a session of the caller `subject`, and the commands for its task. Its events count against the share of `key`.
    pub fn new(
        subject: Subject,
        facts: SessionFacts,
        quota: &Arc<SpoolQuota>,
        key: ShareKey,
    ) -> Result<(Arc<Self>, Commands), Refused> {
        let (commands, received) = mpsc::channel(MAX_WAITING);
        let session = Self {
            id: LiveId::new(),
            subject,
            key,
            facts,
            status: Mutex::new(Status::new()),
            events: EventLog::new(quota, key)?,
            readers: AtomicUsize::new(0),
            commands,
        };
        Ok((Arc::new(session), Commands(received)))
    }

    /// Returns the id.
    pub fn id(&self) -> &LiveId {
        &self.id
    }

    /// Returns true if the session is the caller's.
    pub fn is_of(&self, subject: &Subject) -> bool {
        self.subject == *subject
    }

    /// Returns the key whose share the session counts against.
    pub fn share_key(&self) -> ShareKey {
        self.key
    }

    /// Returns the facts that do not change.
    pub fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// Returns the state.
    pub fn status(&self) -> Status {
        *self.lock()
    }

    /// Checks a piece before its bytes are read. Returns the position if the session has the piece already.
    pub fn check_piece(&self, seq: u64) -> Result<Option<Position>, PieceRefused> {
        let Status { phase, position, .. } = self.status();
        check_piece(phase, position, seq)
    }

    /// Adds a piece of audio, and returns the position after it. A piece that the session has already changes nothing.
    pub async fn add_audio(&self, seq: u64, piece: Spool, origin: PieceOrigin) -> Result<Position, PieceRefused> {
        if piece.length() == 0 && self.facts.format != LiveFormat::Auto {
            return Err(PieceRefused::Empty);
        }
        let (reply, replied) = oneshot::channel();
        let sent = self.commands.send(Command::Audio { seq, piece, origin, reply }).await;
        sent.map_err(|_| PieceRefused::Ended)?;
        replied.await.unwrap_or(Err(PieceRefused::Ended))
    }

    /// Ends the session: no more audio comes, and what is left is transcribed.
    pub async fn end(&self) {
        // The task is gone if the session is over.
        let _ = self.commands.send(Command::End).await;
    }

    /// Ends the session because more audio has come than may wait.
    pub async fn end_too_far_ahead(&self) {
        let _ = self.commands.send(Command::TooFarAhead).await;
    }

    /// Gives the session up.
    pub async fn delete(&self) {
        let _ = self.commands.send(Command::Delete).await;
    }

    /// Opens a reader of the events after the one with the id `after`.
    pub async fn read_events(
        self: &Arc<Self>,
        after: u64,
        keep_alive: Duration,
    ) -> Result<EventReader, ReadEventsError> {
        EventReader::open(self, after, keep_alive).await
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    pub(super) fn set_position(&self, position: Position) {
        self.lock().position = position;
    }

    pub(super) fn set_transcribed(&self, transcribed: AudioMs) {
        self.lock().transcribed = transcribed;
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        // A panic under the lock cannot leave a partial change.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the number of a piece. Returns the position if the session has the piece already.
pub(super) fn check_piece(phase: Phase, position: Position, seq: u64) -> Result<Option<Position>, PieceRefused> {
    let next_seq = position.next_seq;
    match phase {
        _ if seq < next_seq => Ok(Some(position)),
        Phase::Open if seq == next_seq => Ok(None),
        Phase::Open => Err(PieceRefused::WrongSeq { seq, next_seq }),
        Phase::Ending | Phase::Ended | Phase::Failed => Err(PieceRefused::Ended),
    }
}

impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession").field("id", &self.id).field("status", &self.status()).finish_non_exhaustive()
    }
}
