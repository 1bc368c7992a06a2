//! Leave to forward one job, and what becomes of its charge.

use std::fmt;
use std::sync::Arc;

use crate::config::Model;
use crate::domain::Subject;
use crate::domain::{Length, UnixMs};
use crate::ledger::{Charge, Ending, PermitId, Price, Report, RequestInfo, Usage};
use crate::limits::leases::Leases;
use crate::limits::session::InSession;
use crate::limits::{IfUnknown, RateRefund, Settlement};
use crate::models::AttemptLog;
use crate::settlement::Settler;
use crate::telemetry::metrics::{Label, SETTLED, SPEND};
use crate::telemetry::traces::{Step, Trace};

/// Leave to forward one job. Its estimate is charged. However it is dropped, it settles itself, once, to what was noted
/// on it until then:
///
/// - answered: what the provider reports, or the estimate where it reports nothing;
/// - refused or failed: nothing, unless some of the transcript had gone out by then, which is charged as if answered;
/// - neither, since the client left, or would wait no longer: as if answered, if a provider had the whole recording by then;
///   else nothing.
///
/// However many were asked, that is charged once, and by the price of the one that served.
pub struct Permit {
    /// The row that was asked for.
    model: Arc<Model>,
    account: PendingCharge,
    /// How long the recording is, where nothing else is reported.
    audio: Length,
    course: AttemptLog,
    report: Report,
    heard: bool,
    end: Option<End>,
    /// Another one has taken its place for the same request.
    replaced: bool,
    settler: Settler,
    leases: Arc<Leases>,
    trace: Trace,
}

/// What is to be settled.
#[derive(Debug, Clone)]
pub(super) struct PendingCharge {
    pub(super) id: PermitId,
    pub(super) subject: Subject,
    pub(super) session: Option<InSession>,
    pub(super) at: UnixMs,
    pub(super) memo: RequestInfo,
    pub(super) estimate: Charge,
    /// The bytes of text that a provider may bill.
    pub(super) text: u64,
    pub(super) without_store: bool,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Failed,
}

impl Permit {
    pub(super) fn new(
        model: Arc<Model>,
        account: PendingCharge,
        audio: Length,
        settler: Settler,
        leases: Arc<Leases>,
    ) -> Self {
        settler.begin();
        let (course, trace) = (AttemptLog::default(), Trace::default());
        let (report, end) = (Report::default(), None);
        Self { model, account, audio, course, report, heard: false, end, replaced: false, settler, leases, trace }
    }

    /// Where it is noted how far the request has come with its providers.
    pub fn course(&self) -> AttemptLog {
        self.course.clone()
    }

    /// Its request has a trace, in which the settlement is the last step.
    pub fn traced(&mut self, trace: Trace) {
        self.trace = trace;
    }

    /// What the provider reports. What an earlier report said stays, where this one says nothing of it.
    pub fn reported(&mut self, report: Report) {
        self.report = report.or(self.report);
    }

    /// The recording, which was let in by what it claimed to be, is no longer than `length`. From now on that stands where
    /// nothing is reported; what was charged above it is given back with the settlement.
    pub fn measured(&mut self, length: Length, text: u64) {
        (self.audio, self.account.text) = (length, text);
    }

    /// Whether it was given for this row, and no less than `estimate` was charged for it.
    pub(super) fn covers(&self, model: &Model, estimate: Charge) -> bool {
        let charged = self.account.estimate;
        self.model.name == model.name && estimate.usd <= charged.usd && estimate.audio <= charged.audio
    }

    /// What was charged when it was given.
    pub(super) fn charged(&self) -> Charge {
        self.account.estimate
    }

    /// Some of the transcript went out.
    pub fn heard(&mut self) {
        self.heard = true;
    }

    /// The provider has answered.
    pub fn answered(&mut self) {
        self.end.get_or_insert(End::Answered);
    }

    /// The provider has refused or failed.
    pub fn failed(&mut self) {
        self.end.get_or_insert(End::Failed);
    }

    /// The request goes on with another one, of which it is told how it ended.
    pub(super) fn replaced(&mut self) {
        self.replaced = true;
    }

    fn outcome(&self) -> (Ending, Charge) {
        match self.end {
            Some(End::Answered) => (Ending::Answered, self.cost()),
            Some(End::Failed) if self.heard => (Ending::Broken, self.cost()),
            Some(End::Failed) if self.course.was_left() => (Ending::Left, self.cost()),
            None if self.heard || self.report.usage.is_some() || self.course.has_recording() => {
                (Ending::Left, self.cost())
            }
            Some(End::Failed) | None => (Ending::Refunded, Charge::NONE),
        }
    }

    /// By the provider's report as far as it can be believed, or as estimated from the measured audio: by the price of the
    /// row that served.
    fn cost(&self) -> Charge {
        let served = self.course.last().map_or_else(|| Arc::clone(&self.model), |asked| asked.model);
        let price = served.price;
        let heard = self.audio.upper_bound();
        let believed = self.report.believed(self.audio, |usage, longest| {
            let Some(price) = price else { return true };
            // What the client asked for must not decide what it pays: the prompt counts, whatever was asked for.
            price.of_usage(usage).is_none_or(|usd| usd <= price.estimate(longest, self.account.text))
        });
        if self.report.usage.is_some() && believed.is_none() {
            tracing::warn!(
                model = served.name,
                "the provider reports far more than was sent; its report is not charged"
            );
        }
        let audio = match believed {
            Some(Usage::Length(length)) => length,
            _ => heard,
        };
        let priced = |price: Price| {
            // Without a report the estimate stands, prompt and all.
            let estimate = || price.estimate(heard, self.account.text);
            believed.and_then(|usage| price.of_usage(usage)).unwrap_or_else(estimate)
        };
        Charge { usd: price.map(priced).unwrap_or_default(), audio }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (ending, cost) = self.outcome();
        let PendingCharge { id, subject, session, at, mut memo, estimate, without_store, .. } = self.account.clone();
        if let Some(asked) = self.course.last() {
            memo.provider = asked.provider;
        }
        let span = self.trace.begin(Step::Settle);
        span.set("voxgate.ending", ending.as_str());
        span.set("voxgate.cost_nano_usd", i64::try_from(cost.usd.get()).unwrap_or(i64::MAX));
        self.leases.end(&subject, id);
        if !self.replaced {
            SETTLED.add([Label::fixed(ending.as_str())], 1);
        }
        SPEND.add([Label::model(&self.model), Label::configured(&memo.provider)], cost.usd.get());
        let settlement = Settlement {
            id,
            subject,
            session,
            at,
            memo,
            counted_as: self.model.counted_as().to_owned(),
            audio: self.audio.upper_bound(),
            estimate,
            cost,
            usage: self.report.usage,
            ending,
            without_store,
            unknown: IfUnknown::Charge,
            tried: false,
            marked: true,
            rates: RateRefund::default(),
        };
        self.settler.settle(settlement, span);
        self.settler.end();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("id", &self.account.id).field("model", &self.model.name).finish_non_exhaustive()
    }
}
