//! Opening, listing and ending sessions.
//!
//! Opening a session takes one of the requests of the maker's plan, as a recording does. Listing takes a read from a
//! rate of the same size, which each gateway counts separately from requests, so that listing leaves a maker's
//! recordings alone. Ending a session takes nothing: a leaked token can always be revoked, and a maker can end no more
//! sessions than it opened.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::revocations::Revocations;
use crate::config::{Plan, Settings};
use crate::domain::Subject;
use crate::identity::Caller;
use crate::identity::revocation::{PAST_EXPIRY, Revocation, RevokedTokens};
use crate::limits::rates::Rates;
use crate::limits::session::{PageRequest, Session, SessionDecision, SessionDenial, SessionPage, SessionRequest};
use crate::limits::{Bucket, Limit, LimitReached, Limits, RateReset};
use crate::store::{Store, StoreError};

/// The sessions of every maker.
#[derive(Debug)]
pub struct Sessions {
    store: Arc<Store>,
    rates: Arc<Rates>,
    revocations: Arc<Revocations>,
    /// The time after its expiry for which a token is still accepted.
    leeway: Duration,
    /// The maximum number of sessions that one maker may have open.
    max_open: NonZeroU32,
}

/// A caller as a maker of sessions.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The caller, acting for itself.
    pub caller: Caller,
    /// The caller's plan.
    pub plan: &'a Plan,
}

impl Maker<'_> {
    /// Describes the rate of requests, which admits the maker's next request after `wait`.
    fn rate_reached(&self, wait: Duration, reset: RateReset) -> LimitReached {
        LimitReached::of_requests(wait, &self.caller.plan, self.plan, reset)
    }
}

/// An error that keeps a session from being opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSessionError {
    /// The maker's rate of requests, or the limit of open sessions, is reached.
    #[error(transparent)]
    Limit(Box<LimitReached>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Sessions {
    /// Creates the sessions of these settings, kept in `store`. With the embedded store, `rates` are the store's own.
    pub fn new(settings: &Settings, store: Arc<Store>, rates: Arc<Rates>, revocations: Arc<Revocations>) -> Self {
        let (leeway, max_open) = (settings.identity.rules.leeway, settings.sessions.max_open);
        Self { store, rates, revocations, leeway, max_open }
    }

    /// Opens a session and takes one of the maker's requests, or neither. Fails without the store.
    pub async fn open(&self, maker: &Maker<'_>, session: Session) -> Result<(), OpenSessionError> {
        let subject = &maker.caller.subject;
        let requests = maker.plan.requests.map(Bucket::for_requests);
        let request = SessionRequest { maker: subject.clone(), session, requests, max_open: self.max_open };
        let denial = self.decide(request).await?.denial;
        let limit = match denial {
            None => return Ok(()),
            Some(SessionDenial::Requests { wait }) => {
                return Err(OpenSessionError::Limit(Box::new(maker.rate_reached(wait, self.reset(subject)))));
            }
            Some(SessionDenial::MaxOpen) => Limit::OpenSessions { max: self.max_open.get() },
        };
        Err(OpenSessionError::Limit(Box::new(limit.into())))
    }

    /// Asks the store to open a session. If it did not answer, the session is taken back.
    async fn decide(&self, request: SessionRequest) -> Result<SessionDecision, StoreError> {
        let request = Arc::new(request);
        let (maker, limits) = (&request.maker, Limits::of_requests(request.requests));
        // The embedded store takes its rates itself.
        let in_front = !self.store.owns(&self.rates);
        if in_front && let Err(wait) = self.rates.take_request(maker, request.requests) {
            let reset = self.reset(maker).requests;
            return Ok(SessionDecision { denial: Some(SessionDenial::Requests { wait }), reset });
        }
        let decided = self.store.open_session(Arc::clone(&request)).await;
        if in_front && !matches!(decided, Ok(SessionDecision { denial: None, .. })) {
            self.rates.give_back(maker, &limits);
        }
        match &decided {
            Ok(decision) if in_front => {
                self.rates.raise_to(maker, RateReset { requests: decision.reset, audio: Duration::ZERO });
            }
            Err(failure) if failure.may_have_been_done() => self.take_back(&request),
            Ok(_) | Err(_) => {}
        }
        decided
    }

    /// Deletes a session whose token was never handed out. If that fails too, the session ends when it expires.
    fn take_back(&self, request: &SessionRequest) {
        let (store, maker, id) = (Arc::clone(&self.store), request.maker.clone(), request.session.id.clone());
        tokio::spawn(async move {
            if let Err(failure) = store.forget_session(&maker, &id).await {
                tracing::debug!(%failure, "a session that nobody got is listed until it ends");
            }
        });
    }

    /// Takes one of the maker's reads.
    pub fn take_read(&self, maker: &Maker<'_>) -> Result<(), Box<LimitReached>> {
        let Some(bucket) = maker.plan.requests.map(Bucket::for_requests) else { return Ok(()) };
        let subject = &maker.caller.subject;
        self.rates.take_read(subject, bucket).map_err(|wait| {
            let requests = self.rates.time_until_reads_full(subject);
            Box::new(maker.rate_reached(wait, RateReset { requests, ..self.reset(subject) }))
        })
    }

    /// Returns a page of the maker's sessions that have neither ended nor been revoked, the oldest first.
    pub async fn list(&self, maker: &Subject, page: PageRequest) -> Result<SessionPage, StoreError> {
        self.store.sessions(maker, page).await
    }

    /// Revokes a session of the maker, on every gateway from its next request on. Returns `None` for an unknown id.
    pub async fn end(&self, maker: &Subject, id: &str) -> Result<Option<Session>, StoreError> {
        let Some(session) = self.store.session(maker, id).await? else { return Ok(None) };
        let revocation = Revocation {
            subject: session.subject.clone(),
            tokens: RevokedTokens::Named(session.id.clone()),
            // Keep the revocation longer than the token: clocks may differ, and a token may be accepted for a while
            // after it expires.
            until: session.expires_at.plus(self.leeway).plus(PAST_EXPIRY),
        };
        // Revoke first, so that a session that is no longer listed is never valid.
        self.revocations.revoke(revocation).await?;
        self.store.forget_session(maker, &session.id).await?;
        Ok(Some(session))
    }

    fn reset(&self, maker: &Subject) -> RateReset {
        self.rates.time_until_full(maker)
    }
}
