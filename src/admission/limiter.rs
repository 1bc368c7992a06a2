//! Decisions on requests: by the store or, while the store is away, by the state of this process.

mod sessions;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::arrivals::Arrivals;
use super::question::Question;
use super::watch::Watch;
use crate::config::{self, OnStoreFailure};
use crate::domain::{Month, Subject};
use crate::identity::known_revocations::{KnownRevocations, MAX_REVOCATIONS};
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::{Charge, PermitId, Statement};
use crate::limits::clock::Clock;
use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AccountUsage, AdmitRequest, BudgetCache, Decision, Denial, Limits};
use crate::private_dir;
use crate::settlement::{BacklogSnapshot, SettlementQueue, SettlementQueueBuilder, Settler};
use crate::store::{Availability, Embedded, OpenError, Redis, Store, StoreError};

/// An error that keeps the limiter from opening.
#[derive(Debug, thiserror::Error)]
pub enum LimiterError {
    /// The embedded store cannot be opened.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The Redis client rejects the address.
    #[error("REDIS_URL: {0}")]
    Redis(String),
    /// The journal of settlements cannot be opened.
    #[error("VOXGATE_DATA_DIR: {directory} cannot be used: {error}")]
    Journal {
        /// The data directory.
        directory: String,
        /// The error of the system.
        error: std::io::Error,
    },
}

/// The store is away, and requests must be refused without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// A decision, with the id of its permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// The id of the permit, if the request is admitted. It differs from the id of the question if the store was asked
    /// and did not answer: a settlement under the question's id takes back anything that the store charges for it.
    pub id: PermitId,
    /// True if this process decided without the store, so that the store has charged nothing.
    pub without_store: bool,
}

impl Verdict {
    const fn of_store(decision: Decision, id: PermitId) -> Self {
        Self { decision, id, without_store: false }
    }
}

/// The limits of every caller.
#[derive(Debug)]
pub struct Limiter {
    store: Arc<Store>,
    on_failure: OnStoreFailure,
    rates: Arc<Rates>,
    leases: Arc<Leases>,
    heard: Arc<BudgetCache>,
    revocations: Arc<KnownRevocations>,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    settler: Settler,
    watch: JoinHandle<()>,
}

impl Limiter {
    /// Opens the store of these settings and its settlement queue. Call it on the runtime that ends last.
    pub fn open(settings: &config::Store, clock: &Clock) -> Result<(Self, SettlementQueue), LimiterError> {
        let rates = Arc::new(Rates::new(clock.clone()));
        let leases = Arc::new(Leases::new(clock.clone()));
        let (directory, keep) = (settings.data_dir.as_path(), settings.keep_records);
        let (store, letterbox) = match &settings.redis {
            None => {
                let (rates, leases) = (Arc::clone(&rates), Arc::clone(&leases));
                let store = Embedded::open(directory, settings.namespace, keep, rates, leases, clock.clone())?;
                (Store::Embedded(store), letterbox(settings)?)
            }
            Some(redis) => {
                let letterbox = letterbox(settings)?;
                let store = Redis::new(redis, keep, clock.clone(), letterbox.inbox());
                (Store::Redis(store.map_err(|error| LimiterError::Redis(error.category().to_owned()))?), letterbox)
            }
        };
        Ok(Self::over(Arc::new(store), letterbox, settings.on_failure, clock, rates, leases))
    }

    /// Keeps limits in `store`, and passes settlements to `letterbox`. With the embedded store, `rates` and `leases`
    /// are the store's own.
    pub(super) fn over(
        store: Arc<Store>,
        letterbox: SettlementQueueBuilder,
        on_failure: OnStoreFailure,
        clock: &Clock,
        rates: Arc<Rates>,
        leases: Arc<Leases>,
    ) -> (Self, SettlementQueue) {
        let heard = Arc::new(BudgetCache::new(clock.clone()));
        let revocations = Arc::new(KnownRevocations::new(MAX_REVOCATIONS));
        let settler = letterbox.settler(&store);
        let desk = letterbox.open(Arc::clone(&store), Arc::clone(&heard));
        let watch = Watch {
            store: Arc::clone(&store),
            rates: Arc::clone(&rates),
            heard: Arc::clone(&heard),
            revocations: Arc::clone(&revocations),
            clock: clock.clone(),
        };
        let (watch, arrivals, clock) = (tokio::spawn(watch.run()), Arc::default(), clock.clone());
        (Self { store, on_failure, rates, leases, heard, revocations, clock, arrivals, settler, watch }, desk)
    }

    /// Refuses a request that the rates or a missing store rule out anyway. Asks no store and takes nothing.
    pub fn look(&self, subject: &Subject, limits: &Limits) -> Result<Result<(), Denial>, Unavailable> {
        if self.store.is_away_for(subject) && self.needs_store() {
            return Err(Unavailable);
        }
        Ok(self.rates.look(subject, limits))
    }

    /// Decides on a request. An admitted request has been charged and must be settled. A refused request has taken
    /// nothing: if the store did not answer in time, a settlement takes back anything that it took, or may still take.
    pub async fn admit(&self, mut ask: AdmitRequest) -> Result<Verdict, Unavailable> {
        let id = ask.id;
        let denied = |ask: &AdmitRequest, denial| Ok(Verdict::of_store(self.decision(ask, Some(denial)), id));
        if self.is_known_revoked(&ask.subject, &ask.token) {
            return denied(&ask, Denial::Revoked);
        }
        let in_front = !self.store.owns(&self.rates);
        if in_front && let Err(denial) = self.rates.take(&ask.subject, &ask.limits) {
            return denied(&ask, denial);
        }
        let limits = ask.limits;
        // Count as spent the estimates that this process admitted without the store and that the store does not know
        // yet.
        ask.limits = limits.without(self.heard.owed(&ask.subject));
        if in_front {
            // The leases of this process alone may reach the caller's limit, whatever the store knows of them.
            let is_full = limits.concurrent.is_some_and(|max| self.leases.in_flight(&ask.subject) >= max.get());
            let granted_locally = self.leases.granted_locally(&ask.subject);
            let left = ask.limits.without_in_flight(granted_locally).filter(|_| !is_full);
            let Some(left) = left else {
                self.rates.give_back(&ask.subject, &ask.limits);
                return denied(&ask, Denial::Concurrency);
            };
            ask.limits = left;
        }
        let question = Question::new(ask, &self.store, &self.settler);
        let ask = Arc::clone(&question.ask);
        let asked_at = self.clock.steady();
        match self.store.admit(Arc::clone(&ask)).await {
            Ok(decision) => {
                self.learn(&ask, &decision, in_front, asked_at);
                if decision.denial.is_none()
                    && let Some(denial) = self.exceeded_meanwhile(&ask, &limits, &decision, in_front)
                {
                    question.refuse();
                    self.rates.give_back(&ask.subject, &limits);
                    return denied(&ask, denial);
                }
                question.close();
                Ok(Verdict::of_store(decision, id))
            }
            Err(failure) => {
                let was_asked = failure.may_have_been_done();
                if was_asked {
                    question.refuse();
                } else {
                    question.close();
                }
                if self.needs_store() {
                    if in_front {
                        self.rates.give_back(&ask.subject, &limits);
                    }
                    return Err(Unavailable);
                }
                tracing::debug!(%failure, "decided without the store");
                let id = if was_asked { PermitId::new() } else { id };
                let decision = self.without_store(&ask, id, &limits, in_front);
                Ok(Verdict { decision, id, without_store: true })
            }
        }
    }

    /// Returns true if a caller's token is revoked, by the revocations known here or by the store. While the store is
    /// away, returns false for a token that is not known to be revoked, or fails if requests must be refused then.
    pub async fn is_revoked(&self, subject: &Subject, token: TokenRef) -> Result<bool, Unavailable> {
        if self.is_known_revoked(subject, &token) {
            return Ok(true);
        }
        match self.store.is_revoked(subject, token.clone()).await {
            Ok(revoked) => {
                if revoked {
                    self.revocations.add(&token.revocation(subject), self.clock.now());
                }
                Ok(revoked)
            }
            Err(_) if !self.needs_store() => Ok(false),
            Err(_) => Err(Unavailable),
        }
    }

    /// Returns true if this process knows that a caller's token is revoked.
    pub fn is_known_revoked(&self, subject: &Subject, token: &TokenRef) -> bool {
        self.revocations.is_revoked(subject, token, self.clock.now())
    }

    /// Revokes tokens in the store and in this process.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.store.revoke(revocation.clone()).await?;
        self.revocations.add(&revocation, self.clock.now());
        Ok(())
    }

    /// Returns the number of revocations that this process knows.
    pub fn revocations(&self) -> usize {
        self.revocations.len()
    }

    /// Returns the times until the caller's buckets of requests and of audio are full again, as far as this process
    /// knows.
    pub fn standing(&self, subject: &Subject) -> (Duration, Duration) {
        self.rates.standing(subject)
    }

    /// Returns a caller's usage in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        self.store.statement(subject, month).await
    }

    /// Returns a caller's spending this month, by the latest answer of the store.
    pub fn spent(&self, subject: &Subject) -> Charge {
        self.heard.spent(subject, self.month(subject))
    }

    /// Returns the current month by the clock that decides for a caller.
    pub fn month(&self, subject: &Subject) -> Month {
        Month::of(self.store.now(subject))
    }

    /// Returns the number of a caller's requests that are in flight in this process.
    pub fn in_flight(&self, subject: &Subject) -> u32 {
        self.leases.in_flight(subject)
    }

    /// Returns the availability of the store.
    pub fn presence(&self) -> Availability {
        self.store.presence()
    }

    /// Returns true if every request must be refused.
    pub fn is_unavailable(&self) -> bool {
        self.store.presence() == Availability::Away && self.needs_store()
    }

    /// Returns true if requests must be refused while the store is away: `on_store_failure = deny`, or the settlement
    /// backlog is full.
    fn needs_store(&self) -> bool {
        self.on_failure == OnStoreFailure::Deny || self.settler.is_full()
    }

    /// Returns the settler of permits.
    pub(super) fn settler(&self) -> Settler {
        self.settler.clone()
    }

    /// Returns the number of permits and settlements that the store does not know yet.
    pub fn pending(&self) -> BacklogSnapshot {
        self.settler.pending()
    }

    /// Returns the store.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the counts of arriving requests.
    pub(super) fn arrivals(&self) -> &Arc<Arrivals> {
        &self.arrivals
    }

    /// Returns the leases of the requests in flight in this process.
    pub(super) fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.leases)
    }

    /// Takes over the answer of a store that was asked at `asked_at`.
    fn learn(&self, ask: &AdmitRequest, decision: &Decision, in_front: bool, asked_at: Duration) {
        let (subject, standing) = (&ask.subject, decision.standing);
        self.heard.note(subject, Month::of(decision.at), standing.spent, asked_at);
        if decision.denial == Some(Denial::Revoked) {
            self.revocations.add(&ask.token.revocation(subject), self.clock.now());
        }
        if !in_front {
            return;
        }
        if decision.denial.is_some() {
            self.rates.give_back(subject, &ask.limits);
        }
        self.rates.hear(subject, standing.requests, standing.audio);
    }

    /// Takes the lease of a request that the store has admitted. Returns a denial if requests that this process
    /// admitted meanwhile, unknown to the store, have used up the limit.
    fn exceeded_meanwhile(
        &self,
        ask: &AdmitRequest,
        limits: &Limits,
        decision: &Decision,
        in_front: bool,
    ) -> Option<Denial> {
        let (subject, id) = (&ask.subject, ask.id);
        if in_front {
            let added = self.leases.add_below(limits.concurrent, subject, id, ask.lease, Granted::ByStore);
            if added == Added::Full {
                return Some(Denial::Concurrency);
            }
        }
        let denial = self.heard.exceeded_with_local(subject, Month::of(decision.at), limits);
        denial.inspect(|_| self.leases.end(subject, id))
    }

    /// Decides without the store on a permit with this `id`: by the rates, the requests in flight here, and the last
    /// known budgets. `taken`: the request has already taken its rates.
    fn without_store(&self, ask: &AdmitRequest, id: PermitId, limits: &Limits, taken: bool) -> Decision {
        let subject = &ask.subject;
        if !taken && let Err(denial) = self.rates.take(subject, limits) {
            return self.decision(ask, Some(denial));
        }
        // Only the store knows the earlier usage of the session.
        if ask.session.as_ref().is_some_and(|session| session.is_exceeded(Charge::NONE, ask.estimate)) {
            self.rates.give_back(subject, limits);
            return self.decision(ask, Some(Denial::Session));
        }
        let month = Month::of(self.store.now(subject));
        let added = self.leases.add_below(limits.concurrent, subject, id, ask.lease, Granted::Locally);
        let denial = if added == Added::Full {
            Some(Denial::Concurrency)
        } else {
            let charged = self.heard.charge(subject, month, limits, ask.estimate);
            charged.inspect_err(|_| self.leases.end(subject, id)).err()
        };
        match denial {
            Some(_) => self.rates.give_back(subject, limits),
            None => self.settler.owe(),
        }
        self.decision(ask, denial)
    }

    /// Returns a decision of this process, with the usage that it knows.
    fn decision(&self, ask: &AdmitRequest, denial: Option<Denial>) -> Decision {
        let (at, (requests, audio)) = (self.store.now(&ask.subject), self.rates.standing(&ask.subject));
        let spent = self.heard.spent(&ask.subject, Month::of(at));
        let standing = AccountUsage { requests, audio, in_flight: self.leases.in_flight(&ask.subject), spent };
        Decision { at, denial, standing }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn letterbox(settings: &config::Store) -> Result<SettlementQueueBuilder, LimiterError> {
    let unusable = |error| LimiterError::Journal { directory: settings.data_dir.display().to_string(), error };
    private_dir::make(&settings.data_dir).map_err(unusable)?;
    let folder = settings.data_dir.join(settings.namespace.journal());
    SettlementQueueBuilder::new(&folder, settings.max_pending).map_err(unusable)
}
