//! Another token for a run that goes on.

use std::cell::Cell;

use super::super::arguments::GatewayArguments;
use super::super::client::GatewayClient;
use super::super::token_source;
use super::report::Report;

/// The renewal of a run's token, which may be replaced in its file before it expires.
pub(super) struct TokenRenewal<'a> {
    /// Where the token is from; `None` for a gateway in this process, whose token outlives the run.
    source: Option<&'a GatewayArguments>,
    renewals: Cell<u64>,
}

/// The number of renewals before a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Renewals(u64);

impl<'a> TokenRenewal<'a> {
    pub(super) fn new(source: Option<&'a GatewayArguments>) -> Self {
        Self { source, renewals: Cell::new(0) }
    }

    /// Returns the number of renewals so far, for [`TokenRenewal::is_renewed`].
    pub(super) fn so_far(&self) -> Renewals {
        Renewals(self.renewals.get())
    }

    /// Returns true if a request that was refused for its token can be sent again: there is another token, or was one
    /// `since`.
    pub(super) fn is_renewed(&self, since: Renewals, client: &GatewayClient, report: &Report) -> bool {
        if self.so_far() != since {
            return true;
        }
        let found = self.source.and_then(|source| token_source::find(source).ok());
        let is_new = found.is_some_and(|token| client.renew(&token).unwrap_or(false));
        if is_new {
            self.renewals.set(self.renewals.get().saturating_add(1));
            report.display.note("the token was refused; the one that is in its place now is used");
        }
        is_new
    }
}
