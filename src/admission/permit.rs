//! Leave to forward one job, and the settlement of its charge.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::cost::{Cost, CostOfPieces};
use super::open_charge::{OpenCharge, PendingCharge};
use crate::config::Model;
use crate::domain::Length;
use crate::ledger::{Charge, Ending, Entry, Report, Usage};
use crate::limits::leases::{Granted, Leases};
use crate::limits::{Replaced, Settlement};
use crate::models::Attempts;
use crate::settlement::{HeldPermit, Settler};
use crate::telemetry::metrics::{Label, SETTLED, SPEND};
use crate::telemetry::traces::{Step, Trace};

/// Leave to forward one job. Admission has charged its estimate. Dropping a permit settles it, once, by the outcome
/// noted on it until then:
///
/// - the provider answered: the usage that it reports, or the estimate without a report;
/// - the provider refused or failed: nothing; but as if answered, if part of the transcript had been sent to the client;
/// - the client left, or its own deadline passed: as if answered, if a provider had the whole recording by then, or had
///   sent usage or part of the transcript; else nothing.
///
/// `docs/limits.md` has the same rules as a table of endings.
///
/// However many candidates were asked, the job is charged once, at the price of the one that served. A recording that
/// goes on in pieces costs what those pieces cost that were heard, or that a provider had whole at the end.
pub struct Permit {
    /// The requested model entry.
    model: Arc<Model>,
    charge: OpenCharge,
    attempts: Attempts,
    /// The cost of the pieces that were taken from the attempts.
    finished: CostOfPieces,
    report: Report,
    /// True if part of the transcript was sent to the client.
    delivered: bool,
    end: Option<End>,
    /// True if another permit has replaced this one for the same request.
    superseded: bool,
    settler: Settler,
    leases: Arc<Leases>,
    trace: Trace,
    /// Dropped after the settlement is on its way.
    _held: HeldPermit,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Failed,
}

impl Permit {
    pub(super) fn new(model: Arc<Model>, charge: PendingCharge, settler: Settler, leases: Arc<Leases>) -> Self {
        let held = settler.hold();
        let (attempts, trace) = (Attempts::default(), Trace::default());
        let (report, end) = (Report::default(), None);
        Self {
            model,
            charge: OpenCharge::new(charge),
            attempts,
            finished: CostOfPieces::default(),
            report,
            delivered: false,
            end,
            superseded: false,
            settler,
            leases,
            trace,
            _held: held,
        }
    }

    /// Returns the provider attempts of the request.
    pub fn attempts(&self) -> Attempts {
        self.attempts.clone()
    }

    /// Attaches the trace of the request; the settlement is its last step.
    pub fn set_trace(&mut self, trace: Trace) {
        self.trace = trace;
    }

    /// Records a report of the provider. Fields that this report leaves out keep the values of earlier reports.
    pub fn record_usage(&mut self, report: Report) {
        self.report = report.or(self.report);
    }

    /// Records that the recording, admitted by its claimed length, is no longer than `length`. Without a report, the
    /// permit is now charged by `length`; the settlement gives back the difference.
    pub fn set_measured_audio(&mut self, length: Length, text: u64) {
        self.charge.set_measured_audio(length, text);
    }

    /// Returns true if the permit is for this model entry, and at least `estimate` was charged for it.
    pub(super) fn covers(&self, model: &Model, estimate: Charge) -> bool {
        let charged = self.charge.read(|charge| charge.estimate);
        self.model.name == model.name && estimate.usd <= charged.usd && estimate.audio <= charged.audio
    }

    /// Returns what the permit has taken.
    pub(super) fn replaceable(&self) -> Replaced {
        self.charge.read(|charge| Replaced { charge: charge.estimate, rated: charge.rated })
    }

    /// Returns the cost of the pieces that are over, and keeps nothing but the sum of them: what the attempts keep does not
    /// grow with their number. The settlement is the same as without this.
    pub fn fold_finished_pieces(&mut self) -> Charge {
        self.finished.add(self.attempts.take_finished_pieces());
        self.finished.charge()
    }

    /// Returns the charge, which can change while the permit is open.
    pub fn charge(&self) -> OpenCharge {
        self.charge.clone()
    }

    /// Records that part of the transcript was sent to the client.
    pub fn mark_delivered(&mut self) {
        self.delivered = true;
    }

    /// Records that the provider has answered.
    pub fn answered(&mut self) {
        self.end.get_or_insert(End::Answered);
    }

    /// Records that the provider has refused or failed.
    pub fn failed(&mut self) {
        self.end.get_or_insert(End::Failed);
    }

    /// Records that another permit, which settles the request, has replaced this one.
    pub(super) fn mark_superseded(&mut self) {
        self.superseded = true;
    }

    fn outcome(&self) -> Outcome {
        let usage = self.report.usage;
        let charged = |ending| Outcome { ending, cost: self.cost(), usage };
        match self.end {
            Some(End::Answered) => charged(Ending::Answered),
            Some(End::Failed) if self.delivered => charged(Ending::Broken),
            Some(End::Failed) if self.attempts.abandoned_by_client() => charged(Ending::Left),
            None if self.delivered || usage.is_some() || self.attempts.have_recording() => charged(Ending::Left),
            Some(End::Failed) | None => Outcome { ending: Ending::Refunded, cost: Charge::NONE, usage },
        }
    }

    /// Returns the outcome of a request in pieces. What was heard is charged, even if the client got an error for it.
    fn outcome_of_pieces(&self, pieces: &CostOfPieces) -> Outcome {
        let ending = match self.end {
            Some(End::Answered) => Ending::Answered,
            Some(End::Failed) if pieces.any_transcribed => Ending::Broken,
            Some(End::Failed) if self.attempts.abandoned_by_client() => Ending::Left,
            Some(End::Failed) if pieces.any_charged => Ending::Broken,
            None if pieces.any_charged => Ending::Left,
            Some(End::Failed) | None => Ending::Refunded,
        };
        Outcome { ending, cost: pieces.charge(), usage: pieces.usage() }
    }

    /// Returns the cost at the price of the model entry that served.
    fn cost(&self) -> Charge {
        let served = self.attempts.last_target().map_or_else(|| Arc::clone(&self.model), |target| target.model);
        let (audio, text) = self.charge.read(|charge| (charge.audio, charge.text));
        Cost::of(&served, self.report, audio, text).charge
    }
}

/// The outcome of a request, for its record.
struct Outcome {
    ending: Ending,
    cost: Charge,
    usage: Option<Usage>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let pieces = self.attempts.pieces().map(|rest| {
            let mut pieces = std::mem::take(&mut self.finished);
            pieces.add(rest);
            pieces
        });
        let outcome = pieces.as_ref().map(|pieces| self.outcome_of_pieces(pieces));
        let Outcome { ending, cost, usage } = outcome.unwrap_or_else(|| self.outcome());
        let charge = self.charge.get();
        let PendingCharge { id, subject, session, at, mut info, estimate, owed, decided_by, audio, .. } = charge;
        if let Some(target) = self.attempts.last_target() {
            info.provider = target.provider;
        }
        info.pieces = pieces.as_ref().map(|pieces| pieces.count);
        info.attempts = Some(self.attempts.count());
        let span = self.trace.begin(Step::Settle);
        span.set("voxgate.ending", ending.as_str());
        span.set("voxgate.cost_nano_usd", i64::try_from(cost.usd.get()).unwrap_or(i64::MAX));
        self.leases.end(&subject, id);
        if !self.superseded {
            SETTLED.add([Label::fixed(ending.as_str())], 1);
        }
        let whole = || BTreeMap::from([(info.provider.clone(), cost.usd)]);
        for (provider, usd) in pieces.map_or_else(whole, |pieces| pieces.by_provider) {
            SPEND.add([Label::model(&self.model), Label::configured(&provider)], usd.get());
        }
        let audio = audio.upper_bound();
        let settlement = Settlement {
            session,
            counted_as: self.model.counted_as().to_owned(),
            without_store: decided_by == Granted::Locally,
            owed,
            ..Settlement::from_entry(Entry { id, at, subject, info, audio, estimate, cost, usage, ending })
        };
        self.settler.settle(settlement, span);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("id", &self.charge.read(|charge| charge.id))
            .field("model", &self.model.name)
            .finish_non_exhaustive()
    }
}
