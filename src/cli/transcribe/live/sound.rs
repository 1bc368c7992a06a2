//! The sound between standard input and the gateway: cut to pieces, and kept until its words have come.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::kept_sound::KeptSound;
use super::piece::{PIECE_BYTES, Piece};
use super::sound_format::SoundFormat;

/// The time after which a piece is sent, be it ever so small.
const PIECE_TIME: Duration = Duration::from_millis(250);

/// The sound that is not in the transcript yet. One task writes it, another sends it, a third reads what was heard.
pub(super) struct Sound {
    format: SoundFormat,
    state: RefCell<State>,
    changed: Notify,
}

struct State {
    kept: KeptSound,
    /// The time at which the first byte that waits has come.
    waiting_since: Option<Instant>,
    /// True if no more comes.
    is_complete: bool,
}

impl Sound {
    pub(super) fn new(format: SoundFormat) -> Self {
        let state = State { kept: KeptSound::new(format), waiting_since: None, is_complete: false };
        Self { format, state: RefCell::new(state), changed: Notify::new() }
    }

    pub(super) fn format(&self) -> SoundFormat {
        self.format
    }

    /// Adds sound, as soon as there is room.
    pub(super) async fn push(&self, bytes: &[u8]) {
        self.wait_for(|state| (state.kept.waiting() < self.format.max_waiting()).then_some(())).await;
        {
            let mut state = self.state.borrow_mut();
            state.kept.push(bytes);
            state.waiting_since.get_or_insert_with(Instant::now);
        }
        self.changed.notify_waiters();
    }

    /// Ends the sound.
    pub(super) fn complete(&self) {
        self.state.borrow_mut().is_complete = true;
        self.changed.notify_waiters();
    }

    /// Waits for the next piece of the session, which is the same one until [`Sound::taken`]. `None` at the end of the sound.
    /// After a silence of `keep_alive` the next piece is an empty one, which keeps the session open.
    pub(super) async fn next(&self, keep_alive: Option<Duration>) -> Option<Piece> {
        let quiet_until = keep_alive.map(|time| Instant::now() + time);
        loop {
            let changed = self.changed.notified();
            let due = {
                let mut state = self.state.borrow_mut();
                if let Some(piece) = state.kept.next() {
                    return Some(piece);
                }
                let now = Instant::now();
                // Less than a sample waits for the rest of it.
                let is_some = state.kept.waiting() >= self.format.frame();
                let due = state.waiting_since.filter(|_| is_some).map(|since| since + PIECE_TIME);
                let is_due = state.is_complete || due.is_some_and(|due| due <= now);
                if (is_some && is_due) || state.kept.waiting() >= PIECE_BYTES {
                    let piece = state.kept.cut();
                    if state.kept.waiting() == 0 {
                        state.waiting_since = None;
                    }
                    self.changed.notify_waiters();
                    return piece;
                }
                if state.is_complete {
                    return None;
                }
                if quiet_until.is_some_and(|until| until <= now) {
                    return Some(state.kept.empty());
                }
                match (due, quiet_until) {
                    (Some(due), Some(until)) => Some(due.min(until)),
                    (due, until) => due.or(until),
                }
            };
            tokio::select! {
                () = changed => {}
                () = until(due) => {}
            }
        }
    }

    /// Records that the gateway has taken the piece.
    pub(super) fn taken(&self) {
        self.state.borrow_mut().kept.taken();
    }

    /// Leaves the piece out: the gateway says that it is no sound.
    pub(super) fn leave_out(&self) {
        self.state.borrow_mut().kept.leave_out();
    }

    /// Goes on with the piece of this number. Returns false if it is not kept any more.
    pub(super) fn go_on_with(&self, seq: u64) -> bool {
        self.state.borrow_mut().kept.go_on_with(seq)
    }

    /// Records that the words up to this time of the session have come.
    pub(super) fn heard(&self, until: Duration) {
        self.state.borrow_mut().kept.heard(until);
    }

    /// Records that all that the gateway has taken is transcribed: this much in its session.
    pub(super) fn heard_all(&self, length: Option<Duration>) {
        self.state.borrow_mut().kept.heard_all(length);
    }

    /// Returns true if the gateway has taken a piece in this session.
    pub(super) fn is_begun(&self) -> bool {
        self.state.borrow().kept.is_begun()
    }

    /// Returns true if any sound has come at all.
    pub(super) fn has_come(&self) -> bool {
        self.state.borrow().kept.has_come()
    }

    /// Returns the time at which the session has begun in the sound.
    pub(super) fn begin_of_session(&self) -> Duration {
        self.state.borrow().kept.begin_of_session()
    }

    /// Begins another session with what was not heard, as soon as there is any. Returns false if all was heard.
    pub(super) async fn begin_again(&self) -> bool {
        {
            let mut state = self.state.borrow_mut();
            state.kept.begin_again();
            if state.kept.waiting() > 0 {
                state.waiting_since.get_or_insert_with(Instant::now);
            }
        }
        // Less than a sample is no sound.
        let is_some = |state: &State| state.kept.waiting() >= self.format.frame();
        self.wait_for(|state| if is_some(state) { Some(true) } else { state.is_complete.then_some(false) }).await
    }

    async fn wait_for<T>(&self, mut check: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = check(&self.state.borrow()) {
                return found;
            }
            changed.await;
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
