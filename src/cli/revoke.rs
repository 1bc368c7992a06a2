//! `voxgate revoke`: revocation of tokens before they expire.

use std::time::Duration;

use clap::Args;

use super::output::{Failure, print};
use crate::config::{Problems, Settings};
use crate::domain::terms::AUDIT;
use crate::domain::{Subject, UnixMs};
use crate::identity::revocation::{Revocation, RevokedTokens};
use crate::limits::session::Session;
use crate::store::{LedgerReader, StoreError};
use crate::telemetry;

const NOTES: &str = "\
Every gateway of the same settings refuses the tokens from its next request on; none has to be restarted.

The revocation is kept in Redis, or in the data directory, for the time of --keep. Choose it longer than your tokens are \
valid.

The gateway does not record the tokens that were issued, so it cannot tell whether an id exists. `voxgate token` prints \
the id of each token that it makes, and `voxgate token --show` that of one that you have.";

/// Arguments of `voxgate revoke`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Revoke {
    /// The caller: the `sub` claim of the tokens
    #[arg(long, value_name = "SUBJECT")]
    sub: Subject,
    #[command(flatten)]
    which: Which,
    /// The time for which the tokens stay refused
    #[arg(long, default_value = "400days", value_parser = humantime::parse_duration)]
    keep: Duration,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// A single token, by its id: the `jti` claim
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    jti: Option<String>,
    /// All tokens issued before now, and those without a time of issue
    #[arg(long)]
    all: bool,
}

impl Revoke {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        let settings = settings?;
        telemetry::start_logs(settings.fixed.log_format).map_err(Failure::other)?;
        let (settings, now) = (settings.fixed.store, UnixMs::now());
        let tokens = self.which.jti.map_or(RevokedTokens::IssuedUpTo(now.get() / 1000), RevokedTokens::Named);
        let revocation = Revocation { subject: self.sub, tokens, until: now.plus(self.keep) };
        LedgerReader::revoke(&settings, &revocation).await.map_err(|failure| not_revoked(&failure))?;
        let (subject, until) = (revocation.subject.as_str(), revocation.until);
        match &revocation.tokens {
            RevokedTokens::Named(token) => {
                tracing::info!(target: AUDIT, subject, token, %until, "the token is revoked");
                // The revocation is stored and holds, even if the session cannot be read.
                let session = LedgerReader::session(&settings, token).await.ok().flatten();
                let session =
                    session.map_or_else(|| "no open session has this id".to_owned(), |session| about(&session));
                print(|out| {
                    writeln!(out, "{subject}: the token with the id {token} is refused until {until}")?;
                    writeln!(out, "Issued ids are not recorded, so a mistyped one goes unnoticed; {session}.")
                })
            }
            RevokedTokens::IssuedUpTo(_) => {
                tracing::info!(target: AUDIT, subject, %until, "all tokens issued before now are revoked");
                print(|out| writeln!(out, "{subject}: every token issued before {now} is refused until {until}"))
            }
        }
    }
}

fn not_revoked(failure: &StoreError) -> Failure {
    Failure::Other(match failure {
        StoreError::Timeout => format!("it is not known whether anything was revoked: {failure}; try again"),
        _ => format!("nothing was revoked: {failure}"),
    })
}

/// Describes an open session.
fn about(session: &Session) -> String {
    let Session { subject, expires_at, .. } = session;
    format!("it is that of an open session of {subject}, which ends at {expires_at}")
}
