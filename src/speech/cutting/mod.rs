//! The cutting of one recording into pieces, on the threads of the [`SpeechPool`].
//!
//! - [`Cutting`]: hands out one piece after another
//! - `machine`: the work that a thread does, turn by turn
//! - `pieces`: samples to pieces, in a `form`; `held`: the samples that wait for a decision; `piece_file`: the piece that is being encoded
//! - [`LateMeasurement`]: the measurement of a recording that is cut while it arrives
//! - [`CutReport`]: what was done

mod form;
mod held;
mod machine;
mod measurement;
mod piece_file;
mod pieces;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cut::CutRules;
use super::encoding::Encoding;
use super::error::SpeechError;
use super::piece::Piece;
use super::pool::{Place, Running, SpeechPool};
use super::samples::Samples;
use crate::domain::AudioMs;
use crate::fair_share::ShareKey;
use crate::intake::media::MediaInfo;
use crate::intake::{Spool, SpoolRoom};
pub(super) use form::PieceForm;
use machine::{Machine, Order, Outcome};
pub use measurement::LateMeasurement;
pub(super) use pieces::Pieces;
pub use report::CutReport;

/// A recording that is decoded and cut, one piece at a time. Dropping it ends the work at once, and deletes what is
/// encoded of the current piece.
pub struct Cutting {
    pool: Arc<SpeechPool>,
    audio: Spool,
    place: Place,
    work: Work,
    cancelled: Arc<AtomicBool>,
    silent_until: Arc<AtomicU64>,
    report: CutReport,
}

/// The state of the work.
enum Work {
    /// It waits for a call of [`Cutting::next_piece`].
    Idle(Box<Machine>),
    /// It is in the pool.
    Running(Running<Turned>),
    /// It waits until more than `readable` bytes of the recording have arrived.
    Starved { machine: Box<Machine>, readable: u64 },
    /// The last piece was handed out.
    Finished,
    /// An error was returned.
    Failed,
}

/// The result that comes back from the pool.
struct Turned {
    machine: Box<Machine>,
    outcome: Result<Outcome, SpeechError>,
}

impl Cutting {
    /// Prepares the cutting of the recording in `audio`, which intake measured as `info`; of a recording that is
    /// still arriving, `info` is what its beginning claims. The pieces take their bytes from `room`, and are encoded as
    /// `encoding`. The work counts against the share of `key` in the pool.
    pub fn start(
        pool: &Arc<SpeechPool>,
        key: ShareKey,
        room: SpoolRoom,
        audio: Spool,
        info: MediaInfo,
        rules: CutRules,
        encoding: Encoding,
    ) -> Self {
        let (cancelled, silent_until) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let order = Order {
            audio: audio.clone(),
            info,
            late: None,
            max: None,
            silent_until: Arc::clone(&silent_until),
            cancelled: Arc::clone(&cancelled),
        };
        let work = Work::Idle(Box::new(Machine::new(order, room, rules, encoding)));
        Self {
            pool: Arc::clone(pool),
            audio,
            place: Place::New(key),
            work,
            cancelled,
            silent_until,
            report: CutReport::default(),
        }
    }

    /// Sets the longest sound that may be decoded if intake has found no more than a bound of the length. The cutting has
    /// not begun.
    #[must_use]
    pub fn of_at_most(mut self, max: AudioMs) -> Self {
        if let Work::Idle(machine) = &mut self.work {
            machine.set_max(Samples::from_ms(max.get()));
        }
        self
    }

    /// Prepares the cutting of a recording that is still arriving and is measured later. The cutting has not begun.
    #[must_use]
    pub fn measured_later(mut self, measurement: &LateMeasurement) -> Self {
        if let Work::Idle(machine) = &mut self.work {
            machine.measured_later(measurement.clone());
        }
        self
    }

    /// Decodes until the next piece is complete, and returns it; `None` at the end. Nothing is decoded before the call.
    /// If the wait is given up, the next call goes on with it. After an error, all later calls fail.
    ///
    /// The recording may still be arriving. Then the wait is for its bytes too, and no thread waits.
    pub async fn next_piece(&mut self) -> Result<Option<Piece>, SpeechError> {
        loop {
            match &mut self.work {
                Work::Finished => return Ok(None),
                Work::Failed => return Err(SpeechError::BrokeOff),
                Work::Starved { readable, .. } => self.audio.wait_beyond(*readable).await,
                Work::Running(running) => {
                    let turned = running.wait().await;
                    self.place = running.place();
                    self.work = Work::Failed;
                    let Turned { machine, outcome } = turned?;
                    self.report = machine.report();
                    match outcome? {
                        Outcome::Piece(piece) => {
                            self.work = Work::Idle(machine);
                            return Ok(Some(piece));
                        }
                        Outcome::End => self.work = Work::Finished,
                        Outcome::NotArrived { readable } => self.work = Work::Starved { machine, readable },
                    }
                    continue;
                }
                Work::Idle(_) => {}
            }
            self.queue()?;
        }
    }

    /// Returns the account of what was done when the last call of [`Cutting::next_piece`] returned, and how far the
    /// silence behind its piece goes, as far as that is known now.
    pub fn progress(&self) -> CutReport {
        CutReport { silent_until: Samples::new(self.silent_until.load(Ordering::Relaxed)), ..self.report }
    }

    /// Gives the work to the pool.
    fn queue(&mut self) -> Result<(), SpeechError> {
        let (Work::Idle(machine) | Work::Starved { machine, .. }) = std::mem::replace(&mut self.work, Work::Failed)
        else {
            return Err(SpeechError::BrokeOff);
        };
        let mut machine = Some(machine);
        let running = self.pool.run(self.place, move |turn| {
            let outcome = machine.as_mut()?.turn(turn)?;
            machine.take().map(|machine| Turned { machine, outcome })
        })?;
        self.work = Work::Running(running);
        Ok(())
    }
}

impl fmt::Debug for Cutting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutting").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Drop for Cutting {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
