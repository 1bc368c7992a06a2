//! The handle of a live session, which every connection may use.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::error::{LiveFailure, PieceRefused};
use super::event_log::EventLog;
use super::id::LiveId;
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
    status: watch::Sender<Status>,
    pub(super) events: EventLog,
    pub(super) readers: AtomicUsize,
    /// The number of pieces whose bytes are arriving.
    uploads: AtomicUsize,
    deleted: Notify,
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
    End(oneshot::Sender<()>),
    /// The body that is the audio cannot be read on.
    Fail(LiveFailure),
}

/// The way on which a piece of audio came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceOrigin {
    /// A request of its own, which can be refused for a while.
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
            status: watch::Sender::new(Status::new()),
            events: EventLog::new(quota, key)?,
            readers: AtomicUsize::new(0),
            uploads: AtomicUsize::new(0),
            deleted: Notify::new(),
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
        *self.status.borrow()
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

    /// Ends the session: no more audio comes, and what is left is transcribed. Returns once the session takes no more.
    pub async fn end(&self) {
        let (reply, replied) = oneshot::channel();
        // The task is gone if the session is over.
        if self.commands.send(Command::End(reply)).await.is_ok() {
            let _ = replied.await;
        }
    }

    /// Ends the session with an error, because the rest of its audio cannot be read.
    pub async fn fail(&self, failure: LiveFailure) {
        let _ = self.commands.send(Command::Fail(failure)).await;
    }

    /// Gives the session up.
    pub fn delete(&self) {
        self.deleted.notify_one();
    }

    /// Waits until the session is given up.
    pub(super) async fn deleted(&self) {
        self.deleted.notified().await;
    }

    /// Waits until the session is over.
    pub async fn over(&self) {
        // The state lives as long as this value.
        let _ = self.status.subscribe().wait_for(|status| status.phase.is_over()).await;
    }

    /// Counts a piece whose bytes are arriving, until the guard is dropped: the session is not idle.
    pub fn begin_upload(self: &Arc<Self>) -> PieceUpload {
        self.uploads.fetch_add(1, Ordering::Relaxed);
        PieceUpload(Arc::clone(self))
    }

    /// Returns true if bytes of a piece are arriving.
    pub(super) fn is_receiving(&self) -> bool {
        self.uploads.load(Ordering::Relaxed) > 0
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.status.send_modify(|status| status.phase = phase);
    }

    pub(super) fn set_position(&self, position: Position) {
        self.status.send_modify(|status| status.position = position);
    }

    pub(super) fn set_transcribed(&self, transcribed: AudioMs) {
        self.status.send_modify(|status| status.transcribed = status.transcribed.max(transcribed));
    }
}

/// A piece whose bytes are arriving.
pub struct PieceUpload(Arc<LiveSession>);

impl Drop for PieceUpload {
    fn drop(&mut self) {
        self.0.uploads.fetch_sub(1, Ordering::Relaxed);
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
