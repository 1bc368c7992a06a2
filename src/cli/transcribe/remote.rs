//! The gateway that the command line or the environment names.

use secrecy::SecretString;

use super::address::GatewayAddress;
use super::arguments::GatewayArguments;
use super::environment::variable;
use super::run_error::RunError;
use super::token_source;
use crate::cli::output::print_remark;

/// A gateway that runs somewhere else.
pub(super) struct Remote {
    pub(super) address: GatewayAddress,
    pub(super) token: SecretString,
}

/// Finds the gateway that the command line or the environment names.
pub(super) fn find_remote(arguments: &GatewayArguments) -> Result<Option<Remote>, RunError> {
    let Some(url) = arguments.url.clone().or_else(|| variable("VOXGATE_URL")) else {
        token_source::refuse_without_url(arguments)?;
        return Ok(None);
    };
    let address = GatewayAddress::parse(&url)?;
    let token = token_source::find(arguments)?;
    if address.is_readable_on_the_way() {
        print_remark(&format!("the token goes to {address} over plain HTTP, and others on the way can read it"));
    }
    Ok(Some(Remote { address, token }))
}
