//! Leave to forward one job, and what becomes of its charge.

use std::fmt;
use std::sync::Arc;

use super::leases::Leases;
use super::settler::Settler;
use super::store::{Settlement, Unknown};
use crate::config::Model;
use crate::identity::Subject;
use crate::ledger::{Charge, Ending, Memo, PermitId, Price, Usage};
use crate::units::UnixMs;
use crate::upstream::Sent;

/// Leave to forward one job. Its estimate is charged. However it is dropped, it settles itself, once, to what was noted
/// on it until then:
///
/// - answered: what the provider reports, or the estimate where it reports nothing;
/// - refused or failed: nothing, unless some of the transcript had gone out by then, which is charged as if answered;
/// - neither, since the client left: as if answered, if the provider had the whole recording by then; else nothing.
pub struct Permit {
    /// The model that does the work.
    pub model: Arc<Model>,
    account: Account,
    sent: Sent,
    usage: Option<Usage>,
    heard: bool,
    end: Option<End>,
    settler: Settler,
    leases: Arc<Leases>,
}

/// What is to be settled.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: PermitId,
    pub(super) subject: Subject,
    pub(super) at: UnixMs,
    pub(super) memo: Memo,
    pub(super) estimate: Charge,
    pub(super) without_store: bool,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Failed,
}

impl Permit {
    pub(super) fn new(model: Arc<Model>, account: Account, settler: Settler, leases: Arc<Leases>) -> Self {
        settler.begin();
        Self { model, account, sent: Sent::default(), usage: None, heard: false, end: None, settler, leases }
    }

    /// To be set by whoever sends the recording.
    pub fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// What the provider reports; `None` says nothing.
    pub fn reported(&mut self, usage: Option<Usage>) {
        self.usage = usage.or(self.usage);
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

    fn outcome(&self) -> (Ending, Charge) {
        match self.end {
            Some(End::Answered) => (Ending::Answered, self.cost()),
            Some(End::Failed) if self.heard => (Ending::Broken, self.cost()),
            None if self.heard || self.usage.is_some() || self.sent.is_set() => (Ending::Left, self.cost()),
            Some(End::Failed) | None => (Ending::Refunded, Charge::NONE),
        }
    }

    /// By the provider's report, or as estimated from the measured audio.
    fn cost(&self) -> Charge {
        let audio = match self.usage {
            Some(Usage::Length(length)) => length,
            _ => self.account.estimate.audio,
        };
        let priced = |price: Price| {
            // What the client asked for must not decide what it pays: without a report the estimate stands, prompt and all.
            self.usage.and_then(|usage| price.of_usage(usage)).unwrap_or(self.account.estimate.usd)
        };
        Charge { usd: self.model.price.map(priced).unwrap_or_default(), audio }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (ending, cost) = self.outcome();
        let Account { id, subject, at, memo, estimate, without_store } = self.account.clone();
        self.leases.end(&subject, id);
        self.settler.settle(Settlement {
            id,
            subject,
            at,
            memo,
            counted_as: self.model.counted_as().to_owned(),
            audio: estimate.audio,
            estimate,
            cost,
            usage: self.usage,
            ending,
            without_store,
            unknown: Unknown::Charge,
            tried: false,
        });
        self.settler.end();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("id", &self.account.id).field("model", &self.model.name).finish_non_exhaustive()
    }
}
