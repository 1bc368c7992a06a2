//! The state of the application, built from settings by one function at the start and at every reload.

use std::sync::Arc;

use crate::config::{Identity, Settings};
use crate::http::{AppState, SharedState};
use crate::identity::{JwksCache, Verifier, VerifierError};
use crate::upstream::Providers;

/// The reason why no state can be built from settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Keys that cannot verify tokens.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Keys(Vec<VerifierError>),
    /// An HTTP client for the issuer's keys that cannot be created.
    #[error("the client for the issuer's keys cannot be made: {0}")]
    IssuerClient(#[from] reqwest::Error),
}

/// Builds the state. It keeps what `previous` holds and the settings still ask for: the issuer's keys, and what is known
/// of the providers. Call it on a tokio runtime.
pub fn build_state(
    settings: Settings,
    shared: Arc<SharedState>,
    previous: Option<&AppState>,
) -> Result<AppState, BuildError> {
    let verifier = build_verifier(&settings.identity, previous.map(|previous| &previous.verifier))?;
    let sandbox = shared.sandbox.as_ref();
    let wanted =
        sandbox.map_or_else(|| settings.providers.clone(), |sandbox| sandbox.in_place_of_openai(&settings.providers));
    let providers = match previous {
        Some(previous) => previous.providers.renewed(&wanted, &settings.upstream),
        None => Providers::new(&wanted, &settings.upstream),
    };
    Ok(AppState::new(settings, verifier, providers.into(), shared))
}

/// Builds the verifier of tokens. An issuer's keys that were fetched already stay if the settings name the same source;
/// else a task begins to fetch them.
pub fn build_verifier(identity: &Identity, previous: Option<&Verifier>) -> Result<Verifier, BuildError> {
    let (keys, rules) = (identity.own_keys(), identity.rules.clone());
    let Some(jwks) = &identity.jwks else { return Verifier::new(keys, rules).map_err(BuildError::Keys) };
    let old = previous.and_then(Verifier::jwks);
    let kept = old.filter(|old| old.is_for(jwks)).map(Arc::clone);
    let jwks = kept.map_or_else(|| JwksCache::start(jwks.clone(), old.map(Arc::as_ref)), Ok)?;
    Verifier::with_jwks(keys, rules, jwks).map_err(BuildError::Keys)
}
