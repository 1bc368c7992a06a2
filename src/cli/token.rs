//! `voxgate token`

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, print};
use crate::config::{Problems, Settings};
use crate::identity::{Caps, Grant, MintError, Minter, Scopes, Subject};

/// What the token shall say.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Whom the token is for: the `sub` claim
    #[arg(long, value_name = "SUBJECT")]
    sub: Subject,
    /// The plan that holds for them
    #[arg(long, default_value = "default")]
    plan: String,
    /// How long the token is good, such as 15m, 1h or 30days
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// What they may do, separated by spaces
    #[arg(long, default_value = "transcribe translate usage")]
    scope: Scopes,
}

impl Token {
    pub(super) fn run(self, settings: Result<Settings, Problems>) -> Result<(), Failure> {
        let settings = settings?;
        if !settings.plans.contains_key(&self.plan) {
            let known: Vec<_> = settings.plans.keys().map(String::as_str).collect();
            let message = format!("--plan {}: there is no such plan; there are: {}", self.plan, known.join(", "));
            return Err(Failure::Other(message));
        }
        let grant = Grant {
            subject: self.sub,
            plan: Some(self.plan),
            scopes: self.scope,
            ttl: self.ttl,
            token_id: Some(new_id()),
            caps: Caps::default(),
            maker: None,
        };
        let token = mint(&settings, &grant)?;
        print(|out| writeln!(out, "{}", token.expose_secret()))
    }
}

/// A token for the one who started the gateway to try it with.
pub(super) fn for_trying(settings: &Settings) -> Result<SecretString, Failure> {
    let subject = "you".parse::<Subject>().map_err(Failure::other)?;
    let ttl = Duration::from_hours(1);
    let (token_id, caps) = (Some(new_id()), Caps::default());
    mint(settings, &Grant { subject, plan: None, scopes: Scopes::ALL, ttl, token_id, caps, maker: None })
}

/// A name for the token, by which it can be told from others of the same caller.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn mint(settings: &Settings, grant: &Grant) -> Result<SecretString, Failure> {
    let Some(key) = &settings.identity.secret else {
        let message = "a token needs the secret that the gateway checks it with: set VOXGATE_JWT_SECRET or \
                       VOXGATE_JWT_SECRET_FILE to what the gateway has";
        return Err(Failure::Other(message.to_owned()));
    };
    Minter::new(key, &settings.identity.rules)
        .and_then(|minter| minter.mint(grant))
        .map_err(|error: MintError| Failure::other(error))
}
