//! The charge that is admitted ahead of a session's audio.
//!
//! A session is charged what its turns have cost so far, what is set aside for the turns at providers, and one slice ahead
//! of them. A turn goes to a provider only if the charge covers it. Each change of the charge is one revision of the
//! session's permit, which renews its lease and checks its token; so a gateway that dies leaves no more than a slice
//! charged that was not used, and silence costs nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use crate::admission::{Admission, OpenCharge, Refusal};
use crate::domain::AudioMs;
use crate::identity::Caller;
use crate::ledger::Charge;
use crate::limits::Limit;
use crate::models::TargetChain;

/// The wait before a store that does not answer is asked again.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// The shortest wait before a limit is asked again.
const MIN_WAIT: Duration = Duration::from_millis(50);

/// The charge ahead of the audio.
pub(super) struct Credit {
    admission: Arc<Admission>,
    caller: Caller,
    targets: TargetChain,
    charge: OpenCharge,
    /// The number of bytes of text that go with each turn.
    text: u64,
    slice: AudioMs,
    /// The charge that the permit holds.
    held: Charge,
    /// The audio of all turns that were sent.
    sent: AudioMs,
    /// The time of the last revision that was made.
    revised_at: Instant,
    asked: Option<Asked>,
    /// The last refusal, until something is admitted again.
    refused: Option<Refused>,
}

/// A revision on its way.
struct Asked {
    charge: Charge,
    ahead: Ahead,
    revising: LocalBoxFuture<'static, Result<(), Refusal>>,
}

/// The audio that a revision is to cover beyond what is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// A slice, or the turn that waits if that is longer.
    Slice(AudioMs),
    /// The turn that waits, and no more, after a slice was refused.
    Turn(AudioMs),
    /// What is covered already: only the lease is renewed.
    Held,
}

/// A refusal, and what can be done about it.
#[derive(Debug, Clone)]
struct Refused {
    refusal: Arc<Refusal>,
    /// The time from which it may be asked again; `None` if no wait helps.
    again_at: Option<Instant>,
}

/// The parts of a session that decide its credit.
pub(super) struct CreditParts {
    pub(super) admission: Arc<Admission>,
    pub(super) caller: Caller,
    pub(super) targets: TargetChain,
    pub(super) charge: OpenCharge,
    pub(super) text: u64,
    pub(super) slice: AudioMs,
    /// The charge of the first slice, which is admitted.
    pub(super) held: Charge,
}

/// The cost of a session so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// The cost of the turns that are over.
    pub(super) finished: Charge,
    /// The charges that are set aside for the turns that were sent and are not over.
    pub(super) set_aside: Charge,
}

impl Spent {
    fn total(self) -> Charge {
        self.finished.plus(self.set_aside)
    }
}

impl Credit {
    pub(super) fn new(parts: CreditParts) -> Self {
        let CreditParts { admission, caller, targets, charge, text, slice, held } = parts;
        let (sent, revised_at) = (AudioMs::default(), Instant::now());
        Self { admission, caller, targets, charge, text, slice, held, sent, revised_at, asked: None, refused: None }
    }

    /// Returns the charge of a turn of this length.
    pub(super) fn estimate(&self, length: AudioMs) -> Charge {
        Admission::live_estimate(&self.targets, length, 1, self.text)
    }

    /// Returns true if the charge covers `more` beyond what is spent.
    pub(super) fn covers(&self, spent: Spent, more: Charge) -> bool {
        let needed = spent.total().plus(more);
        needed.usd <= self.held.usd && needed.audio <= self.held.audio
    }

    /// Records that a turn of this length was sent.
    pub(super) fn sent(&mut self, length: AudioMs) {
        self.sent = self.sent.saturating_add(length);
    }

    /// Asks for what is needed: for the turn of length `needed` that waits and is not covered; for a slice if less than half
    /// of one is left; or for the lease.
    pub(super) fn ask_if_needed(&mut self, spent: Spent, needed: Option<AudioMs>, now: Instant) {
        if self.asked.is_some() {
            return;
        }
        let half = AudioMs::new(self.slice.get() / 2);
        let is_renewal = now.saturating_duration_since(self.revised_at) >= self.slice.duration();
        let slice = Ahead::Slice(self.slice.max(needed.unwrap_or_default()));
        let ahead = match (self.refused.as_ref().map(|refused| refused.again_at), needed) {
            (Some(Some(again_at)), _) if now < again_at && is_renewal => Ahead::Held,
            (Some(Some(again_at)), _) if now < again_at => return,
            (Some(None), Some(turn)) => Ahead::Turn(turn),
            (Some(None), None) if is_renewal => Ahead::Held,
            (Some(None), None) => return,
            (None, None) if !is_renewal && self.covers(spent, self.estimate(half)) => return,
            (Some(Some(_)) | None, _) => slice,
        };
        self.ask(spent, ahead);
    }

    fn ask(&mut self, spent: Spent, ahead: Ahead) {
        let (charge, more) = match ahead {
            Ahead::Slice(audio) | Ahead::Turn(audio) => (spent.total().plus(self.estimate(audio)), audio),
            Ahead::Held => (self.held, AudioMs::default()),
        };
        let (rated, lease) = (self.sent.saturating_add(more), self.lease());
        let (admission, caller, open) = (Arc::clone(&self.admission), self.caller.clone(), self.charge.clone());
        let revising = async move { admission.revise_live(&open, &caller, charge, rated, lease).await };
        self.asked = Some(Asked { charge, ahead, revising: revising.boxed_local() });
    }

    /// Waits for the answer to what was asked. Returns the refusal if the session cannot go on. Never ends while nothing is
    /// asked.
    pub(super) async fn answer(&mut self) -> Result<(), Arc<Refusal>> {
        let Some(asked) = &mut self.asked else { return std::future::pending().await };
        let answer = asked.revising.as_mut().await;
        let Some(Asked { charge, ahead, .. }) = self.asked.take() else { return Ok(()) };
        let Err(refusal) = answer else {
            (self.held, self.revised_at) = (charge, Instant::now());
            if ahead != Ahead::Held {
                self.refused = None;
            }
            return Ok(());
        };
        let (refusal, now) = (Arc::new(refusal), Instant::now());
        let wait = wait_of(&refusal);
        let is_store_lost = matches!(*refusal, Refusal::StoreUnavailable)
            && now.saturating_duration_since(self.revised_at) >= self.lease();
        let is_turn_refused = wait.is_none() && matches!(ahead, Ahead::Turn(_));
        let is_final = matches!(*refusal, Refusal::Revoked) || is_store_lost || is_turn_refused;
        let again_at = wait.map(|wait| now + wait.max(MIN_WAIT));
        self.refused = Some(Refused { refusal: Arc::clone(&refusal), again_at });
        if is_final { Err(refusal) } else { Ok(()) }
    }

    /// Returns the refusal for which a turn waits that time will admit.
    pub(super) fn throttled(&self) -> Option<&Arc<Refusal>> {
        self.refused.as_ref().filter(|refused| refused.again_at.is_some()).map(|refused| &refused.refusal)
    }

    /// Returns the time at which the credit is to be looked at again.
    pub(super) fn next_look(&self) -> Instant {
        let renewal = self.revised_at + self.slice.duration();
        match &self.refused {
            Some(Refused { again_at: Some(at), .. }) => *at,
            // Without a revision the lease ends, and with it the place among the caller's requests in flight; the charge stays.
            _ => renewal.max(Instant::now() + MIN_WAIT),
        }
    }

    /// Returns the time for which a revision renews the lease.
    fn lease(&self) -> Duration {
        lease_of(self.slice)
    }
}

/// Returns the lease of a session with this slice.
pub fn lease_of(slice: AudioMs) -> Duration {
    slice.duration().saturating_mul(2)
}

/// Returns the time after which a refusal may be an admission; `None` if no wait helps.
fn wait_of(refusal: &Refusal) -> Option<Duration> {
    match refusal {
        Refusal::StoreUnavailable => Some(STORE_WAIT),
        Refusal::Limit(reached) => match reached.limit {
            Limit::Audio { wait, .. } | Limit::Requests { wait, .. } => Some(wait),
            _ => None,
        },
        _ => None,
    }
}
