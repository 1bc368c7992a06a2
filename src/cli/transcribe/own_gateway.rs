//! A gateway in this process, for one run of the command.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;

use super::address::{AddressError, GatewayAddress};
use super::client::{ClientError, GatewayClient};
use super::input::shown;
use super::interrupts::Interrupts;
use super::state_folder::state_folder;
use crate::admission::LimiterError;
use crate::app::server::{Application, StartError};
use crate::cli::generated_secret::generate_secret;
use crate::config::{OPENAI, Problems, Settings};
use crate::domain::{Subject, SubjectError};
use crate::identity::{Caps, Grant, MintError, Minter, Scope, Scopes};
use crate::store::OpenError;

/// The caller in the records of usage.
const CALLER: &str = "transcribe";
/// The lifetime of the token: longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 365);
/// The number of commands that keep records at the same time, each in a folder of its own.
const MAX_AT_ONCE: u32 = 16;

/// The reason why no gateway can be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnGatewayError {
    /// No provider is configured.
    #[error(
        "no provider's key is set, so no speech can be recognised. Three ways to a transcript:\n  \
         a key            OPENAI_API_KEY=sk-… voxgate transcribe … (any word is a key for a server at OPENAI_BASE_URL that \
         wants none)\n  \
         a gateway        voxgate transcribe --url https://… --token-file FILE …\n  \
         this machine     `make local` starts a recogniser and a gateway, and prints what to use as --url and token"
    )]
    NoProvider,
    /// The default model has no provider.
    #[error(
        "--model is needed: the default, {default}, is OpenAI's, for which no key is set; the settings have {others}"
    )]
    NeedsModel {
        /// The default model.
        default: String,
        /// The models that have a provider.
        others: String,
    },
    /// The model has no provider.
    #[error("--model {model}: no key is set for OpenAI, and the settings have {others}")]
    UnknownModel {
        /// The model.
        model: String,
        /// The models that have a provider.
        others: String,
    },
    /// Invalid settings.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The environment names no home.
    #[error("there is no folder for the record of usage: set HOME or XDG_STATE_HOME")]
    NoHome,
    /// The folder for the records of usage cannot be used.
    #[error("the record of usage cannot be kept in {folder}: {error}; XDG_STATE_HOME can name another folder")]
    Folder {
        /// The folder.
        folder: String,
        /// The error of the system.
        error: io::Error,
    },
    /// Too many commands run.
    #[error("{MAX_AT_ONCE} commands run at the same time already; --jobs sends more recordings in one of them")]
    TooMany,
    /// The gateway cannot start.
    #[error(transparent)]
    Start(Box<StartError>),
    /// No token can be made.
    #[error(transparent)]
    Token(#[from] MintError),
    /// The caller has no name.
    #[error(transparent)]
    Caller(#[from] SubjectError),
    /// The gateway has no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No client can be made.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A gateway in this process that listens.
pub(super) struct OwnGateway {
    pub(super) application: Application,
    pub(super) client: GatewayClient,
}

impl OwnGateway {
    /// Starts a gateway with the providers of the settings, for `model` or the default model. `file` is the settings file
    /// that the command line names.
    pub(super) fn start(file: Option<&Path>, model: Option<&str>) -> Result<Self, OwnGatewayError> {
        let folder = state_folder().ok_or(OwnGatewayError::NoHome)?;
        let mut settings = Settings::for_one_command(file, folder.clone())?;
        check_model(&settings, model)?;
        settings.identity.secret = Some(generate_secret());
        let token = mint(&settings)?;
        let application = build(&settings, &folder)?;
        let address = GatewayAddress::parse(&format!("http://{}", application.address()))?;
        Ok(Self { application, client: GatewayClient::of_this_process(address, &token)? })
    }

    /// Serves while `work` goes on, and then until everything is in the records. Another signal ends that at once.
    pub(super) async fn serve<T>(
        application: Application,
        work: impl Future<Output = T>,
    ) -> (Option<T>, io::Result<()>) {
        let (stop, mut stopped) = watch::channel(false);
        let mut result = None;
        let serving = application.run_until(async || {
            // The sender lives as long as this function.
            let _ = stopped.changed().await;
        });
        let working = async {
            result = Some(work.await);
            stop.send_replace(true);
            Interrupts::catch_again()?.next().await;
            Ok(())
        };
        let served = tokio::select! {
            served = serving => served,
            served = working => served,
        };
        (result, served)
    }
}

/// Refuses a model that no provider has, so that nothing is sent in vain.
fn check_model(settings: &Settings, model: Option<&str>) -> Result<(), OwnGatewayError> {
    let known = &settings.models;
    let others = || known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let has_openai = settings.providers.contains_key(OPENAI);
    match model {
        _ if known.is_empty() && !has_openai => Err(OwnGatewayError::NoProvider),
        // OpenAI may have models that the settings do not name.
        Some(name) if !has_openai && !known.contains_key(name) => {
            Err(OwnGatewayError::UnknownModel { model: name.to_owned(), others: others() })
        }
        None if !known.contains_key(&settings.default_model) => {
            Err(OwnGatewayError::NeedsModel { default: settings.default_model.clone(), others: others() })
        }
        _ => Ok(()),
    }
}

fn mint(settings: &Settings) -> Result<SecretString, OwnGatewayError> {
    let Some(key) = &settings.identity.secret else { return Err(OwnGatewayError::NoProvider) };
    let grant = Grant {
        subject: CALLER.parse::<Subject>()?,
        plan: None,
        scopes: Scopes::from_iter([Scope::Transcribe]),
        ttl: TOKEN_LIFETIME,
        token_id: None,
        caps: Caps::default(),
        maker: None,
    };
    Ok(Minter::new(key, &settings.identity.rules)?.mint(&grant)?)
}

/// Builds the gateway. Only one process writes to a folder of records, so a command that runs beside another one has a
/// folder inside it.
fn build(settings: &Settings, folder: &Path) -> Result<Application, OwnGatewayError> {
    for number in 1..=MAX_AT_ONCE {
        let mut settings = settings.clone();
        settings.fixed.store.data_dir = records_folder(folder, number);
        match Application::build(settings) {
            Ok(application) => return Ok(application),
            Err(StartError::Limiter(LimiterError::Embedded(OpenError::Taken { .. }))) => {}
            Err(StartError::Limiter(LimiterError::Embedded(OpenError::Directory { directory, error }))) => {
                return Err(OwnGatewayError::Folder { folder: shown(&directory), error });
            }
            Err(error) => return Err(OwnGatewayError::Start(Box::new(error))),
        }
    }
    Err(OwnGatewayError::TooMany)
}

fn records_folder(folder: &Path, number: u32) -> PathBuf {
    if number == 1 { folder.to_owned() } else { folder.join(format!("beside-{number}")) }
}
