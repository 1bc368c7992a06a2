//! Decides by the store, and by what this process knows where the store is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::arrivals::Arrivals;
use super::clock::Clock;
use super::desk::{Desk, Letterbox};
use super::heard::Heard;
use super::leases::Leases;
use super::limits::{Ask, Decision, Denial, Limits, Standing};
use super::rates::Rates;
use super::revocation::TokenMark;
use super::settler::{Pending, Settler};
use super::store::{Embedded, OpenError, Presence, Redis, Settlement, Store, StoreFailure, Unknown};
use crate::config::{self, OnStoreFailure};
use crate::identity::Subject;
use crate::ledger::{Charge, Ending, Statement};
use crate::telemetry::traces::Span;
use crate::units::Month;

/// How often the store is looked after.
const WATCH: Duration = Duration::from_secs(1);
/// How many times that is until callers who have been idle are forgotten.
const TIDY: u32 = 60;

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
    /// Whether the store has no part in it, so that it has charged nothing.
    pub without_store: bool,
}

impl Verdict {
    const fn of_store(decision: Decision) -> Self {
        Self { decision, without_store: false }
    }
}

/// Keeps the limits of every caller.
#[derive(Debug)]
pub struct Limiter {
    store: Arc<Store>,
    on_failure: OnStoreFailure,
    rates: Arc<Rates>,
    leases: Arc<Leases>,
    heard: Arc<Heard>,
    arrivals: Arc<Arrivals>,
    settler: Settler,
    watch: JoinHandle<()>,
}

impl Limiter {
    /// Opens the store of these settings, and the desk that writes to it. To be called on the runtime that ends last.
    pub fn open(settings: &config::Store, clock: &Clock) -> Result<(Self, Desk), LimiterError> {
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
        let (store, heard) = (Arc::new(store), Arc::new(Heard::new(clock.clone())));
        let settler = letterbox.settler(&store);
        let desk = letterbox.open(Arc::clone(&store), Arc::clone(&heard));
        let watch = tokio::spawn(watch(Arc::clone(&store), Arc::clone(&rates), Arc::clone(&heard)));
        Ok((
            Self {
                store,
                on_failure: settings.on_failure,
                rates,
                leases,
                heard,
                arrivals: Arc::default(),
                settler,
                watch,
            },
            desk,
        ))
    }

    /// Refuses what cannot be let in whatever else is said: known without asking anybody.
    pub fn look(&self, subject: &Subject, limits: &Limits) -> Result<Result<(), Denial>, Unavailable> {
        if self.store.is_away_for(subject) && self.needs_store() {
            return Err(Unavailable);
        }
        Ok(self.rates.look(subject, limits))
    }

    /// Decides on a request. A decision that lets it in has charged it, and is to be settled.
    pub async fn admit(&self, mut ask: Ask) -> Result<Verdict, Unavailable> {
        let in_front = !self.store.owns(&self.rates);
        if in_front && let Err(denial) = self.rates.take(&ask.subject, &ask.limits) {
            return Ok(Verdict::of_store(self.decision(&ask, Some(denial))));
        }
        let limits = ask.limits;
        // What was let in without the store, and is still to be told to it, counts as if it knew.
        ask.limits = limits.without(self.heard.owed(&ask.subject));
        let ask = Arc::new(ask);
        let unanswered = Unanswered { ask: Arc::clone(&ask), limiter: self, is_so: true };
        match self.store.admit(Arc::clone(&ask)).await {
            Ok(decision) => {
                unanswered.no_more();
                self.learn(&ask, &decision, in_front);
                Ok(Verdict::of_store(decision))
            }
            Err(failure) if !self.needs_store() => {
                unanswered.no_more();
                tracing::debug!(%failure, "decided without the store");
                let decision = self.without_store(&ask, &limits, in_front);
                Ok(Verdict { decision, without_store: true })
            }
            Err(failure) => {
                if matches!(failure, StoreFailure::Away) {
                    unanswered.no_more();
                }
                if in_front {
                    self.rates.give_back(&ask.subject, &ask.limits);
                }
                Err(Unavailable)
            }
        }
    }

    /// Whether a caller's token holds no longer, as the store has it. What it has cannot be known without it.
    pub async fn is_revoked(&self, subject: &Subject, token: TokenMark) -> Result<bool, Unavailable> {
        match self.store.is_revoked(subject, token).await {
            Ok(revoked) => Ok(revoked),
            Err(_) if !self.needs_store() => Ok(false),
            Err(_) => Err(Unavailable),
        }
    }

    /// How long until the caller's buckets of requests and of audio are full again, as far as this process knows.
    pub fn standing(&self, subject: &Subject) -> (Duration, Duration) {
        self.rates.standing(subject)
    }

    /// What a caller used in a month.
    pub async fn statement(&self, subject: &Subject, month: Month) -> Result<Statement, StoreFailure> {
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
    pub fn presence(&self) -> Presence {
        self.store.presence()
    }

    /// Whether nobody at all can be let in.
    pub fn is_unavailable(&self) -> bool {
        self.store.presence() == Presence::Away && self.needs_store()
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
    pub fn pending(&self) -> Pending {
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

    /// Takes over what a store says.
    fn learn(&self, ask: &Ask, decision: &Decision, in_front: bool) {
        let (subject, standing) = (&ask.subject, decision.standing);
        self.heard.note(subject, Month::of(decision.at), standing.spent);
        if !in_front {
            return;
        }
        match decision.denial {
            None => self.leases.add(subject, ask.id, ask.lease),
            Some(_) => self.rates.give_back(subject, &ask.limits),
        }
        self.rates.hear(subject, standing.requests, standing.audio);
    }

    /// Decides by this process alone: the rates as ever, the requests that are in flight here, and the budgets as they
    /// were last heard of. `taken`: the rates have been asked.
    fn without_store(&self, ask: &Ask, limits: &Limits, taken: bool) -> Decision {
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
        let denial = if self.leases.add_below(limits.concurrent, subject, ask.id, ask.lease) {
            let charged = self.heard.charge(subject, month, limits, ask.estimate);
            charged.inspect_err(|_| self.leases.end(subject, ask.id)).err()
        } else {
            Some(Denial::Concurrency)
        };
        match denial {
            Some(_) => self.rates.give_back(subject, limits),
            None => self.settler.owe(),
        }
        self.decision(ask, denial)
    }

    /// A decision of this process, with what it knows.
    fn decision(&self, ask: &Ask, denial: Option<Denial>) -> Decision {
        let (at, (requests, audio)) = (self.store.now(&ask.subject), self.rates.standing(&ask.subject));
        let spent = self.heard.spent(&ask.subject, Month::of(at));
        let standing = Standing { requests, audio, in_flight: self.leases.in_flight(&ask.subject), spent };
        Decision { at, denial, standing }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn letterbox(settings: &config::Store) -> Result<Letterbox, LimiterError> {
    let unusable = |error| LimiterError::Journal { directory: settings.data_dir.display().to_string(), error };
    let folder = settings.data_dir.join(settings.namespace.journal());
    Letterbox::new(&folder, settings.max_pending).map_err(unusable)
}

async fn watch(store: Arc<Store>, rates: Arc<Rates>, heard: Arc<Heard>) {
    for turn in (0..TIDY).cycle() {
        tokio::time::sleep(WATCH).await;
        store.look_after().await;
        if turn == 0 {
            rates.forget_idle();
            heard.forget_idle();
        }
    }
}

/// A question to the store whose answer nobody has heard. If it stays so, since the client has left or the store is slow,
/// what the store may have charged for it is given back.
struct Unanswered<'a> {
    ask: Arc<Ask>,
    limiter: &'a Limiter,
    is_so: bool,
}

impl Unanswered<'_> {
    fn no_more(mut self) {
        self.is_so = false;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_so {
            return;
        }
        let ask = &self.ask;
        let settlement = Settlement {
            id: ask.id,
            subject: ask.subject.clone(),
            session: ask.session.clone(),
            at: self.limiter.store.now(&ask.subject),
            memo: ask.memo.clone(),
            counted_as: ask.memo.model.clone(),
            without_store: false,
            audio: ask.estimate.audio,
            estimate: ask.estimate,
            cost: Charge::NONE,
            usage: None,
            ending: Ending::Refunded,
            unknown: Unknown::Ignore,
            tried: false,
        };
        self.limiter.settler.settle(settlement, Span::default());
    }
}
