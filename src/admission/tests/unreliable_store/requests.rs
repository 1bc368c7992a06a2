//! The requests of a run: they are admitted, change their charges, and end.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::run::{Host, InFlight, Revising, Run};
use crate::admission::open_charge::PendingCharge;
use crate::admission::permit::Permit;
use crate::config::{Model, RequestRate};
use crate::domain::{AudioMs, Length};
use crate::identity::revocation::TokenRef;
use crate::ledger::{Charge, Report, Usage};
use crate::limits::{Bucket, Limits, ReviseRequest, Revision, Settlement};
use crate::store::Redis;
use crate::store::tests::bench::{ask, charge, settlement, subject};

/// The maximum number of requests that each caller may have in flight.
pub(super) const MAX_CONCURRENT: [u32; 2] = [1, 3];
/// The monthly audio budget of each caller, in ms.
pub(super) const BUDGET: [u64; 2] = [150, 80];
pub(super) const REQUESTS_PER_MINUTE: u32 = 60;
pub(super) const BURST: u32 = 8;

pub(super) fn limits(caller: usize) -> Limits {
    let number = |n| NonZeroU32::new(n).unwrap();
    let rate = RequestRate { per_minute: number(REQUESTS_PER_MINUTE), burst: number(BURST) };
    Limits {
        requests: Some(Bucket::for_requests(rate)),
        concurrent: Some(number(MAX_CONCURRENT[caller])),
        monthly_audio: Some(AudioMs::new(BUDGET[caller])),
        ..Limits::default()
    }
}

impl Run {
    pub(super) fn ask(&mut self, caller: usize, audio: u64) {
        let asked = ask(&self.callers[caller], limits(caller), charge(0, audio));
        let limiter = Arc::clone(&self.limiter);
        self.asking.push(tokio::spawn(async move {
            let (subject, info, estimate) = (asked.subject.clone(), asked.info.clone(), asked.estimate);
            let decided = limiter.admit(asked).await.ok().filter(|decided| decided.decision.denial.is_none())?;
            let (id, at, decided_by) = (decided.id, decided.decision.at, decided.decided_by);
            let account = PendingCharge {
                id,
                subject,
                session: None,
                at,
                info,
                estimate,
                rated: estimate.audio,
                audio: Length::Measured(estimate.audio),
                text: 0,
                owed: Charge::NONE,
                revision: Revision::default(),
                decided_by,
            };
            let model = Arc::new(Model::unknown("a:model"));
            let permit = Permit::new(model, account, limiter.settler(), limiter.leases());
            Some(InFlight { caller, permit, id, estimate: audio })
        }));
    }

    /// Changes the charge of a request, as admission does.
    pub(super) fn revise(&mut self, mut revising: InFlight, audio: u64) {
        let InFlight { caller, id, estimate, .. } = revising;
        // If the client leaves meanwhile, the permit settles at this cost.
        let cost = estimate / 2;
        revising.permit.answered();
        revising.permit.record_usage(Report { usage: Some(Usage::Length(AudioMs::new(cost))), duration: None });
        let limits = Limits { requests: None, concurrent: None, ..limits(caller) };
        let limiter = Arc::clone(&self.limiter);
        let task = tokio::spawn(async move {
            let account = revising.permit.charge().next_revision();
            let request = ReviseRequest {
                id,
                revision: account.revision,
                subject: account.subject.clone(),
                token: TokenRef::default(),
                session: None,
                limits,
                at: account.at,
                charge: charge(0, audio),
                lease: Duration::from_secs(30),
                info: account.info.clone(),
            };
            let held = account.held();
            if let Ok(revised) = limiter.revise(request, held).await {
                revising.permit.charge().set_held(revised.held);
                if revised.decision.denial.is_none() {
                    revising.estimate = audio;
                }
            }
            revising
        });
        self.revising.push(Revising { task, caller, id, estimate, cost });
    }

    pub(super) fn end(&mut self, ending: InFlight, percent: u64) {
        let InFlight { caller, mut permit, id, estimate } = ending;
        let cost = estimate * percent / 100;
        permit.answered();
        permit.record_usage(Report { usage: Some(Usage::Length(AudioMs::new(cost))), duration: None });
        self.ended.insert(id, (caller, cost, false));
    }

    /// Settles more records than a search of the latest records covers, for a caller that shares the list of records.
    pub(super) fn crowd(&self, caller: usize) {
        let Host::Redis(redis) = &self.host else { return };
        let list = Redis::ledger_of(&self.callers[caller]);
        let names = (0..).map(|at| subject(&format!("crowd-{at}")));
        let neighbour = names.into_iter().find(|name| Redis::ledger_of(name) == list).unwrap();
        for _ in 0..70 {
            let asked = ask(&neighbour, Limits::default(), Charge::NONE);
            redis.settle_now(Settlement { without_store: true, ..settlement(&asked, self.clock.now(), charge(0, 1)) });
        }
    }
}
