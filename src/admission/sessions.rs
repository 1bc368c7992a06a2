//! The operations of makers of sessions: open, list and end sessions.
//!
//! A maker is a caller that acts for itself ([`Caller::acting_as_maker`]). Opening a session takes one of the requests
//! of its plan, as a recording does. Listing takes a read from a rate of the same size, which each gateway counts
//! separately from requests, so that listing leaves a maker's recordings alone. Ending a session takes nothing: a
//! leaked token can always be revoked, and a maker can end no more sessions than it opened.

use super::{Admission, Limited, Refusal, Unavailable};
use crate::config::Plan;
use crate::identity::Caller;
use crate::identity::revocation::{PAST_EXPIRY, Revocation, RevokedTokens, TokenRef};
use crate::ledger::Charge;
use crate::limits::session::{PageRequest, Session, SessionDenial, SessionPage, SessionRequest};
use crate::limits::{AccountUsage, Bucket, Denial, Limits};
use crate::store::StoreError;

impl Admission {
    /// Refuses a maker that has no request left for another session. Takes nothing, and does not ask the store.
    pub fn before_session(&self, maker: &Caller) -> Result<(), Refusal> {
        let plan = self.plan(maker)?;
        let limits = Limits { requests: plan.requests.map(Bucket::of_request), ..Limits::default() };
        let looked = self.limiter.look(&maker.subject, &limits).map_err(|Unavailable| Refusal::StoreAway)?;
        looked.map_err(|denial| self.denied_before_body(maker, plan, denial))
    }

    /// Opens a session and takes one of the maker's requests, or neither.
    pub async fn open_session(&self, maker: &Caller, session: Session) -> Result<Result<(), Refusal>, StoreError> {
        let plan = match self.plan(maker) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (requests, max_open) = (plan.requests.map(Bucket::of_request), self.max_open_sessions);
        let request = SessionRequest { maker: maker.subject.clone(), session, requests, max_open };
        let decision = self.limiter.open_session(request).await?;
        Ok(match decision.denial {
            None => Ok(()),
            Some(SessionDenial::Requests { wait }) => {
                Err(self.denied_before_body(maker, plan, Denial::Requests { wait }))
            }
            Some(SessionDenial::MaxOpen) => Err(Refusal::TooManySessions { max: max_open.get() }),
        })
    }

    /// Takes one of the maker's reads.
    pub fn take_read(&self, maker: &Caller) -> Result<(), Refusal> {
        let plan = self.plan(maker)?;
        let Some(bucket) = plan.requests.map(Bucket::of_request) else { return Ok(()) };
        let taken = self.limiter.take_read(&maker.subject, bucket);
        taken.map_err(|wait| self.denied_read(maker, plan, Denial::Requests { wait }))
    }

    fn denied_read(&self, maker: &Caller, plan: &Plan, denial: Denial) -> Refusal {
        let requests = self.limiter.standing_of_reads(&maker.subject);
        let (_, audio) = self.limiter.standing(&maker.subject);
        let standing = AccountUsage { requests, audio, ..AccountUsage::default() };
        let month = self.limiter.month(&maker.subject);
        Refusal::Limited(Box::new(Limited::new(denial, (&maker.plan, plan), standing, Charge::NONE, month)))
    }

    /// Returns a page of the maker's sessions that have neither ended nor been revoked, the oldest first.
    pub async fn sessions(&self, maker: &Caller, page: PageRequest) -> Result<SessionPage, StoreError> {
        self.limiter.store().sessions(&maker.subject, page).await
    }

    /// Revokes a session of the maker, on every gateway from its next request on. Returns `None` for an unknown id.
    pub async fn end_session(&self, maker: &Caller, id: &str) -> Result<Option<Session>, StoreError> {
        let Some(session) = self.limiter.store().session(&maker.subject, id).await? else { return Ok(None) };
        let revocation = Revocation {
            subject: session.subject.clone(),
            tokens: RevokedTokens::Named(session.id.clone()),
            // Keep the revocation longer than the token: clocks may differ, and a token may be accepted for a while
            // after it expires.
            until: session.expires_at.plus(self.leeway).plus(PAST_EXPIRY),
        };
        // Revoke first, so that a session that is no longer listed is never valid.
        self.limiter.revoke(revocation).await?;
        self.limiter.store().forget_session(&maker.subject, &session.id).await?;
        Ok(Some(session))
    }

    /// Refuses a caller whose token is known here to be revoked. Does not ask the store.
    pub fn check_known_revocations(&self, caller: &Caller) -> Result<(), Refusal> {
        let is_revoked = self.limiter.is_known_revoked(&caller.subject, &TokenRef::of(caller, self.leeway));
        if is_revoked { Err(Refusal::Revoked) } else { Ok(()) }
    }
}
