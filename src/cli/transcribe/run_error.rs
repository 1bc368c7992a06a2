//! The reason why a run could try nothing.

use std::io;

use super::address::AddressError;
use super::client::ClientError;
use super::live_arguments::LiveArgumentError;
use super::output_file::OutputError;
use super::own_gateway::OwnGatewayError;
use super::plan::PlanError;
use super::token_source::TokenError;
use crate::telemetry;

/// The reason why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// Arguments that do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A folder that transcripts cannot be written to.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// An address that is none of a gateway.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A gateway that cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A gateway in this process that cannot start.
    #[error(transparent)]
    OwnGateway(#[from] OwnGatewayError),
    /// Warnings that cannot be written.
    #[error(transparent)]
    Logs(#[from] telemetry::LogError),
    /// A gateway in this process that ended.
    #[error("the gateway in this process ended: {0}")]
    Ended(io::Error),
    /// Signals that cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// Arguments that do not go together with `--live`.
    #[error(transparent)]
    Live(#[from] LiveArgumentError),
}
