//! The rates and sessions of makers.

use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use crate::domain::Subject;
use crate::limits::session::{SessionDecision, SessionDenial, SessionRequest};
use crate::limits::{Bucket, Denial, Limits};
use crate::store::StoreError;

impl Limiter {
    /// Opens a session, if the maker's rate of requests and the limit of open sessions allow it. Fails without the
    /// store. If the store did not answer, the session is taken back.
    pub(in crate::admission) async fn open_session(
        &self,
        request: SessionRequest,
    ) -> Result<SessionDecision, StoreError> {
        let request = Arc::new(request);
        let (maker, limits) = (&request.maker, Limits { requests: request.requests, ..Limits::default() });
        // The embedded store takes its rates itself.
        let in_front = !self.store.owns(&self.rates);
        if in_front && let Err(Denial::Requests { wait }) = self.rates.take(maker, &limits) {
            let (standing, _) = self.rates.standing(maker);
            return Ok(SessionDecision { denial: Some(SessionDenial::Requests { wait }), standing });
        }
        let decided = self.store.open_session(Arc::clone(&request)).await;
        if in_front && !matches!(decided, Ok(SessionDecision { denial: None, .. })) {
            self.rates.give_back(maker, &limits);
        }
        match &decided {
            Ok(decision) if in_front => self.rates.hear(maker, decision.standing, Duration::ZERO),
            Err(failure) if failure.may_have_been_done() => self.take_back(&request),
            _ => {}
        }
        decided
    }

    /// Takes one of a maker's reads, or returns the time to wait.
    pub(in crate::admission) fn take_read(&self, maker: &Subject, requests: Bucket) -> Result<(), Duration> {
        self.rates.take_read(maker, requests)
    }

    /// Returns the time until a maker's bucket of reads is full again.
    pub(in crate::admission) fn standing_of_reads(&self, maker: &Subject) -> Duration {
        self.rates.standing_of_reads(maker)
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
}
