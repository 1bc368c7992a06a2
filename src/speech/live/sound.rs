//! The sound of a live session.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::LiveSoundError;
use super::format::LiveFormat;
use super::heard::Heard;
use super::machine::Machine;
use crate::domain::AudioMs;
use crate::fair_share::ShareKey;
use crate::intake::media::{Codec, Container};
use crate::intake::{Spool, SpoolRoom};
use crate::speech::cut::CutRules;
use crate::speech::cutting::{CutReport, PieceForm, Pieces};
use crate::speech::encoding::Encoding;
use crate::speech::pool::{Place, SpeechPool};

/// The sound of a live session, which takes one piece after another and hands out turns of speech. Dropping it deletes what
/// is encoded of the open turn.
pub struct LiveSound {
    pool: Arc<SpeechPool>,
    place: Place,
    machine: Arc<Mutex<Machine>>,
    report: CutReport,
    media: Option<(Container, Option<Codec>)>,
}

impl LiveSound {
    /// Creates the sound of a session, before its first piece. The turns are cut by `rules`, encoded as `encoding`, and take
    /// their bytes from `room`. The sound may be `max` long. The work counts against the share of `key` in the pool.
    pub fn new(
        pool: &Arc<SpeechPool>,
        key: ShareKey,
        room: SpoolRoom,
        format: LiveFormat,
        rules: CutRules,
        encoding: Encoding,
        max: AudioMs,
    ) -> Self {
        let pieces = Pieces::new(room, PieceForm { encoding, is_fast: true, is_small: true }, rules);
        Self {
            pool: Arc::clone(pool),
            place: Place::New(key),
            machine: Arc::new(Mutex::new(Machine::new(format, pieces, max))),
            report: CutReport::default(),
            media: None,
        }
    }

    /// Decodes the bytes of one piece, and returns what is new. If the future is dropped before it is done, the sound takes
    /// no more pieces: every later call fails with [`LiveSoundError::BrokeOff`].
    pub async fn push(&mut self, piece: Spool) -> Result<Heard, LiveSoundError> {
        self.work(Some(piece)).await
    }

    /// Ends the sound, and returns the last turns. This can also be called once no more pieces are taken, for the turns of
    /// what was heard before.
    pub async fn finish(&mut self) -> Result<Heard, LiveSoundError> {
        self.work(None).await
    }

    /// Returns the account of what was done when the last call returned.
    pub fn report(&self) -> CutReport {
        self.report
    }

    /// Returns the container and the codec of a recording that has a container, once they are known.
    pub fn media(&self) -> Option<(Container, Option<Codec>)> {
        self.media
    }

    async fn work(&mut self, piece: Option<Spool>) -> Result<Heard, LiveSoundError> {
        lock(&self.machine).begin(piece)?;
        let mut machine = Some(Arc::clone(&self.machine));
        let running = self.pool.run(self.place, move |turn| {
            let done = lock(machine.as_ref()?).turn(turn)?;
            // Before the result is handed out: whoever has it may drop the session, and expect nothing to remain.
            machine = None;
            Some(done)
        });
        let mut running = running.inspect_err(|_| lock(&self.machine).give_up())?;
        self.place = running.place();
        let heard = running.wait().await?;
        let machine = lock(&self.machine);
        (self.report, self.media) = (machine.report(), machine.media());
        heard
    }

    /// Returns the number of bytes in memory, without the decoder and the detector.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        lock(&self.machine).held_bytes()
    }
}

impl fmt::Debug for LiveSound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSound").field("report", &self.report).field("media", &self.media).finish_non_exhaustive()
    }
}

/// Locks the state. It is free whenever the session's owner asks: only one call works on it at a time.
fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}
