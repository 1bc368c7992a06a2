//! `[console]`: the pages of the gateway, for its users and for its operator.

use secrecy::{ExposeSecret, SecretString};
use url::Host;

use super::reader::Section;
use super::secret;

/// The shortest token of the operator, in bytes.
const MIN_TOKEN_BYTES: usize = 16;

/// `[console]`
#[derive(Debug, Clone)]
pub struct Console {
    /// `console.enabled`: true if the gateway serves the console at `/`; true.
    pub enabled: bool,
    /// `console.operator_token`, `console.operator_token_file`: the token for the operator's page where the second listener
    /// is not on a loopback address; none, so that the page is not there.
    pub operator_token: Option<SecretString>,
    /// `console.operator_hosts`: the names, in lower case, by which browsers may call the operator's page, besides
    /// `localhost` and addresses; none.
    pub operator_hosts: Vec<String>,
}

impl Console {
    pub(super) fn read(mut section: Section) -> Self {
        let enabled = section.value("enabled", true);
        let token = secret::read(&mut section, "operator_token", "operator_token_file");
        if let Some(token) = &token {
            check_token(&section, token);
        }
        let names: Vec<String> = section.value("operator_hosts", Vec::new());
        let hosts = names.iter().filter_map(|name| read_host(&section, name));
        let settings = Self { enabled, operator_token: token, operator_hosts: hosts.collect() };
        section.finish();
        settings
    }
}

fn check_token(section: &Section, token: &SecretString) {
    let length = token.expose_secret().len();
    if length < MIN_TOKEN_BYTES {
        let what = format!("got {length} bytes; takes {MIN_TOKEN_BYTES} or more (openssl rand -hex 32)");
        section.problem("operator_token", what);
    } else if !secret::is_one_word(token) {
        section.problem("operator_token", "has characters that the value of a header cannot have");
    }
}

/// Reads the name of a host as browsers write it.
fn read_host(section: &Section, name: &str) -> Option<String> {
    match Host::parse(name) {
        Ok(Host::Domain(host)) if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) => {
            Some(host)
        }
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => None,
        Ok(Host::Domain(_)) | Err(_) => {
            let what = format!("got \"{name}\"; takes names such as \"voxgate.internal\", without a scheme or a port");
            section.problem("operator_hosts", what);
            None
        }
    }
}
