//! `voxgate revoke`

use std::time::Duration;

use clap::Args;

use super::{Failure, print};
use crate::admission::revocation::{Revocation, Tokens};
use crate::admission::store::{Books, StoreFailure};
use crate::config::{Problems, Settings};
use crate::identity::Subject;
use crate::telemetry;
use crate::terms::AUDIT;
use crate::units::UnixMs;

const NOTES: &str = "\
Every gateway of the same settings refuses the tokens from its next request on; they need not be told.

A revocation is kept in Redis, or in the data directory, for as long as --keep says: no token that it concerns should be \
good for longer than that.";

/// Which tokens hold no longer.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Revoke {
    /// Whose tokens: the `sub` claim
    #[arg(long, value_name = "SUBJECT")]
    sub: Subject,
    #[command(flatten)]
    which: Which,
    /// For how long to remember it
    #[arg(long, default_value = "400days", value_parser = humantime::parse_duration)]
    keep: Duration,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The one token of this name: its `jti` claim
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    jti: Option<String>,
    /// All that were issued before now, and those that do not say when they were
    #[arg(long)]
    all: bool,
}

impl Revoke {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        let settings = settings?;
        telemetry::start_logs(settings.log_format).map_err(Failure::other)?;
        let (settings, now) = (settings.store, UnixMs::now());
        let (tokens, said) = match self.which.jti {
            Some(jti) => (Tokens::Named(jti), "the token is revoked"),
            None => (Tokens::IssuedUpTo(now.get() / 1000), "all tokens issued before now are revoked"),
        };
        let revocation = Revocation { subject: self.sub, tokens, until: now.plus(self.keep) };
        Books::revoke(&settings, &revocation).await.map_err(|failure| not_revoked(&failure))?;
        let (subject, until) = (revocation.subject.as_str(), revocation.until);
        let token = match &revocation.tokens {
            Tokens::Named(jti) => Some(jti),
            Tokens::IssuedUpTo(_) => None,
        };
        tracing::info!(target: AUDIT, subject, token, %until, "{said}");
        print(|out| writeln!(out, "{}: {said}, which is remembered until {}", revocation.subject, revocation.until))
    }
}

fn not_revoked(failure: &StoreFailure) -> Failure {
    Failure::Other(match failure {
        StoreFailure::Slow => format!("it is not known whether anything was revoked: {failure}; try again"),
        _ => format!("nothing was revoked: {failure}"),
    })
}
