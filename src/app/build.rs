//! The state of the application, built from settings by one function at the start and at every reload.

use std::sync::Arc;

use crate::config::{Identity, Settings};
use crate::domain::AudioMs;
use crate::http::{AppState, SharedState};
use crate::identity::{JwksCache, Verifier, VerifierError};
use crate::models::PiecesInSpool;
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
    warn_of_small_spool(&settings);
    let verifier = build_verifier(&settings.identity, previous.map(|previous| &previous.verifier))?;
    let sandbox = shared.sandbox.as_ref();
    let configured =
        sandbox.map_or_else(|| settings.providers.clone(), |sandbox| sandbox.in_place_of_openai(&settings.providers));
    let providers = match previous {
        Some(previous) => previous.providers.renewed(&configured, &settings.upstream),
        None => Providers::new(&configured, &settings.upstream),
    };
    Ok(AppState::new(settings, verifier, providers.into(), shared))
}

/// Warns if the spool has no room for as many pieces of a long recording as the settings say.
fn warn_of_small_spool(settings: &Settings) {
    let (speech, spool, max_audio_bytes) = (&settings.speech, &settings.fixed.spool, settings.intake.max_audio_bytes);
    let pieces = PiecesInSpool::of_largest_recording(speech, spool, max_audio_bytes);
    let (needed, available) = (pieces.bytes(AudioMs::new(u64::MAX)), pieces.available);
    if !speech.split || (pieces.at_once == speech.pieces_at_once && needed <= available) {
        return;
    }
    let (at_once, disk) = (pieces.at_once, spool.max_spool_disk_bytes);
    tracing::warn!(
        "intake.max_spool_disk_bytes ({disk}): four fifths of it, less intake.max_audio_bytes ({max_audio_bytes}), leave \
         {available} bytes for the pieces of the largest recording. If they are as long as any model takes, {at_once} of \
         them are at providers at the same time instead of speech.pieces_at_once ({}), and take up to {needed} bytes{}",
        speech.pieces_at_once,
        if needed > available { ", for which there is no room: such a recording is refused" } else { "" },
    );
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
