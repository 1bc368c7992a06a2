//! Decides by the store, and by what this process knows where the store is away.

mod sessions;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::arrivals::Arrivals;
use super::question::Question;
use super::watch::Watch;
use crate::config::{self, OnStoreFailure};
use crate::domain::Month;
use crate::domain::Subject;
use crate::identity::known_revocations::{KnownRevocations, MAX_REVOCATIONS};
use crate::identity::revocation::{Revocation, TokenRef};
use crate::ledger::{Charge, PermitId, Statement};
use crate::limits::budget_cache::BudgetCache;
use crate::limits::clock::Clock;
use crate::limits::leases::{Added, Granted, Leases};
use crate::limits::rates::Rates;
use crate::limits::{AccountUsage, AdmitRequest, Decision, Denial, Limits};
use crate::private_dir;
use crate::settlement::{BacklogSnapshot, Settler};
use crate::settlement::queue::{SettlementQueue, SettlementQueueBuilder};
use crate::store::{Availability, Embedded, OpenError, Redis, Store, StoreError};

/// Why limits cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum LimiterError {
    /// The embedded store cannot be opened.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// Redis's address makes no sense to its client.
    #[error("REDIS_URL: {0}")]
    Redis(String),
    /// Settlements could not be kept on disk.
    #[error("VOXGATE_DATA_DIR: {directory} cannot be used: {error}")]
    Journal {
        /// The data directory.
        directory: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// The store is away, and without it nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// A decision, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// The name of the permit, where one is given. It is not that of the question if the store was asked and did not answer:
    /// what the store makes of that question is taken back by its name, whatever is decided here.
    pub id: PermitId,
    /// Whether the store has no part in it, so that it has charged nothing.
    pub without_store: bool,
}

impl Verdict {
    const fn of_store(decision: Decision, id: PermitId) -> Self {
        Self { decision, id, without_store: false }
    }
}

/// Keeps the limits of every caller.
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
    /// Opens the store of these settings, and the desk that writes to it. To be called on the runtime that ends last.
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

    /// Keeps limits in `store`, to which settlements go by `letterbox`. `rates` and `leases` are the embedded store's own,
    /// where it is that.
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

    /// Refuses what cannot be let in whatever else is said: known without asking anybody.
    pub fn look(&self, subject: &Subject, limits: &Limits) -> Result<Result<(), Denial>, Unavailable> {
        if self.store.is_away_for(subject) && self.needs_store() {
            return Err(Unavailable);
        }
        Ok(self.rates.look(subject, limits))
    }

    /// Decides on a request. A decision that lets it in has charged it, and is to be settled. One that does not has taken
    /// nothing: what the store took, or may still take, for a question that it did not answer in time is taken back.
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
        // What was let in without the store, and is still to be told to it, counts as if it knew.
        ask.limits = limits.without(self.heard.owed(&ask.subject));
        if in_front {
            // This process alone has as many in flight as the caller may have, whatever the store knows of them.
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

    /// Whether a caller's token holds no longer, as the store has it or as it is known here. What the store has cannot be known
    /// without it.
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

    /// Whether a caller's token is known here to hold no longer.
    pub fn is_known_revoked(&self, subject: &Subject, token: &TokenRef) -> bool {
        self.revocations.is_revoked(subject, token, self.clock.now())
    }

    /// Has tokens hold no longer, here and wherever the store is asked.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.store.revoke(revocation.clone()).await?;
        self.revocations.add(&revocation, self.clock.now());
        Ok(())
    }

    /// How many revocations are known here, whatever the store says.
    pub fn revocations(&self) -> usize {
        self.revocations.len()
    }

    /// How long until the caller's buckets of requests and of audio are full again, as far as this process knows.
    pub fn standing(&self, subject: &Subject) -> (Duration, Duration) {
        self.rates.standing(subject)
    }

    /// What a caller used in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreError> {
        self.store.statement(subject, month).await
    }

    /// What a caller has spent this month, as it was last heard of.
    pub fn spent(&self, subject: &Subject) -> Charge {
        self.heard.spent(subject, self.month(subject))
    }

    /// The month that it is for a caller.
    pub fn month(&self, subject: &Subject) -> Month {
        Month::of(self.store.now(subject))
    }

    /// How many requests of a caller are in flight here.
    pub fn in_flight(&self, subject: &Subject) -> u32 {
        self.leases.in_flight(subject)
    }

    /// How much of the store is there.
    pub fn presence(&self) -> Availability {
        self.store.presence()
    }

    /// Whether nobody at all can be let in.
    pub fn is_unavailable(&self) -> bool {
        self.store.presence() == Availability::Away && self.needs_store()
    }

    /// Whether nobody can be let in without the store: by the operator's choice, or since no more can be noted down.
    fn needs_store(&self) -> bool {
        self.on_failure == OnStoreFailure::Deny || self.settler.is_full()
    }

    /// Where permits are settled.
    pub(super) fn settler(&self) -> Settler {
        self.settler.clone()
    }

    /// What is still to be told to the store.
    pub fn pending(&self) -> BacklogSnapshot {
        self.settler.pending()
    }

    /// Where it is kept.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// What arrives here.
    pub(super) fn arrivals(&self) -> &Arc<Arrivals> {
        &self.arrivals
    }

    /// Who is in flight here.
    pub(super) fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.leases)
    }

    /// Takes over what a store says that was asked at `asked_at`.
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

    /// Takes the lease of a request that the store has let in, unless others that were let in here while it was asked, and of
    /// which it did not know, leave no room.
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

    /// Decides by this process alone on a permit named `id`: the rates as ever, the requests that are in flight here, and the
    /// budgets as they were last heard of. `taken`: the rates have been asked.
    fn without_store(&self, ask: &AdmitRequest, id: PermitId, limits: &Limits, taken: bool) -> Decision {
        let subject = &ask.subject;
        if !taken && let Err(denial) = self.rates.take(subject, limits) {
            return self.decision(ask, Some(denial));
        }
        // What was used in the session before, the store alone knows.
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

    /// A decision of this process, with what it knows.
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
