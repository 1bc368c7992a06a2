//! `voxgate token`: makes a token, or explains one.

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::output::{Failure, own_command, print, print_remark};
use super::show;
use crate::config::{Problems, Settings};
use crate::domain::Subject;
use crate::identity::{Caps, Grant, MintError, Minter, Scope, Scopes};

const NOTES: &str = "\
The token alone goes to standard output, its id and its end to standard error:
  export VOXGATE_TOKEN=$(voxgate token --sub alice)

The secret is the gateway's own (VOXGATE_JWT_SECRET or VOXGATE_JWT_SECRET_FILE).";

/// Arguments of `voxgate token`: the claims of a new token, or `--show`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Token {
    /// The caller: the `sub` claim, to which limits and usage apply
    #[arg(long, value_name = "SUBJECT", required_unless_present = "show")]
    sub: Option<Subject>,
    /// The plan that limits the caller
    #[arg(long, default_value = "default")]
    plan: String,
    /// The lifetime of the token, such as 15m, 1h or 30days
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// The scopes of the token: any of transcribe, translate, usage and sessions, separated by spaces
    #[arg(long, default_value = "transcribe translate usage")]
    scope: Scopes,
    /// Read a token from standard input and explain it; fail if this gateway refuses it
    #[arg(long, conflicts_with_all = ["sub", "plan", "ttl", "scope"])]
    show: bool,
}

impl Token {
    pub(super) async fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        let settings = settings?;
        match self.sub {
            Some(subject) => make(&settings, subject, self.plan, self.ttl, self.scope),
            None => show::run(&settings).await,
        }
    }
}

fn make(settings: &Settings, subject: Subject, plan: String, ttl: Duration, scopes: Scopes) -> Result<(), Failure> {
    if !settings.plans.contains_key(&plan) {
        let known: Vec<_> = settings.plans.keys().map(String::as_str).collect();
        return Err(Failure::Other(format!("--plan {plan}: no such plan; the settings have {}", known.join(", "))));
    }
    let (id, caps) = (new_id(), Caps::default());
    let remark = format!(
        "token id {id}, valid for {}. To revoke it: {} revoke --sub '{subject}' --jti {id}",
        humantime::format_duration(ttl),
        own_command(None)
    );
    let grant = Grant { subject, plan: Some(plan), scopes, ttl, token_id: Some(id), caps, maker: None };
    let token = mint(settings, &grant)?;
    print(|out| writeln!(out, "{}", token.expose_secret()))?;
    print_remark(&remark);
    Ok(())
}

/// Makes a token for a first request. It cannot create sessions: those are for backends.
pub(super) fn for_trying(settings: &Settings) -> Result<SecretString, Failure> {
    let subject = "you".parse::<Subject>().map_err(Failure::other)?;
    let ttl = Duration::from_hours(1);
    let scopes = Scopes::from_iter([Scope::Transcribe, Scope::Translate, Scope::Usage]);
    let (token_id, caps) = (Some(new_id()), Caps::default());
    mint(settings, &Grant { subject, plan: None, scopes, ttl, token_id, caps, maker: None })
}

/// Generates a token's id, by which it can be revoked.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn mint(settings: &Settings, grant: &Grant) -> Result<SecretString, Failure> {
    let Some(key) = &settings.identity.secret else {
        let message = "a token needs the secret that the gateway checks it with: name the gateway's settings \
                       file with --config, or set VOXGATE_JWT_SECRET or VOXGATE_JWT_SECRET_FILE to what the gateway has";
        return Err(Failure::Other(message.to_owned()));
    };
    Minter::new(key, &settings.identity.rules)
        .and_then(|minter| minter.mint(grant))
        .map_err(|error: MintError| Failure::other(error))
}
