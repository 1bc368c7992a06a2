//! What a maker of sessions may do.

use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use crate::domain::Subject;
use crate::limits::session::{SessionDecision, SessionDenial, SessionRequest};
use crate::limits::{Bucket, Denial, Limits};
use crate::store::StoreError;

impl Limiter {
    /// Opens a session, if the maker's rate of requests and the bound of open sessions allow it. Without the store none is
    /// opened. If it did not answer, what it may have done is taken back.
    pub(in crate::admission) async fn open_session(
        &self,
        request: SessionRequest,
    ) -> Result<SessionDecision, StoreError> {
        let request = Arc::new(request);
        let (maker, limits) = (&request.maker, Limits { requests: request.requests, ..Limits::default() });
        // A store of this process takes its rates itself.
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

    /// Takes one of a maker's reads, or says how long it has to wait.
    pub(in crate::admission) fn take_read(&self, maker: &Subject, requests: Bucket) -> Result<(), Duration> {
        self.rates.take_read(maker, requests)
    }

    /// How long until a maker's bucket of reads is full again.
    pub(in crate::admission) fn standing_of_reads(&self, maker: &Subject) -> Duration {
        self.rates.standing_of_reads(maker)
    }

    /// Has the store forget a session whose token nobody was given. Should that fail too, the session ends by itself.
    fn take_back(&self, request: &SessionRequest) {
        let (store, maker, id) = (Arc::clone(&self.store), request.maker.clone(), request.session.id.clone());
        tokio::spawn(async move {
            if let Err(failure) = store.forget_session(&maker, &id).await {
                tracing::debug!(%failure, "a session that nobody got is listed until it ends");
            }
        });
    }
}
