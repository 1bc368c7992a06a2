//! `server.tls_cert` and `server.tls_key`.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Section;

/// A certificate with its chain, and its key, as their PEM files hold them.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The content of the file that `server.tls_cert` names. The file may also contain the key.
    pub certificates: SecretString,
    /// The content of the file that `server.tls_key` names.
    pub key: SecretString,
}

impl TlsFiles {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let certificates = text(section, "tls_cert");
        let key = text(section, "tls_key");
        match (certificates, key) {
            (Given::Text(certificates), Given::Text(key)) => {
                Some(Self { certificates: certificates.into(), key: key.into() })
            }
            (Given::Nothing, Given::Nothing) => None,
            (Given::Nothing, _) => {
                section.problem("tls_cert", "is missing; tls_key is given, and the two go together");
                None
            }
            (_, Given::Nothing) => {
                section.problem("tls_key", "is missing; tls_cert is given, and the two go together");
                None
            }
            _ => None,
        }
    }
}

impl PartialEq for TlsFiles {
    fn eq(&self, other: &Self) -> bool {
        self.certificates.expose_secret() == other.certificates.expose_secret()
            && self.key.expose_secret() == other.key.expose_secret()
    }
}

impl Eq for TlsFiles {}

enum Given {
    Nothing,
    /// An unreadable file has been reported already.
    Unreadable,
    Text(String),
}

fn text(section: &mut Section, key: &'static str) -> Given {
    let path: Option<PathBuf> = section.optional(key);
    let Some(path) = path else { return Given::Nothing };
    match section.file(&path) {
        Ok(text) => Given::Text(text),
        Err(error) => {
            section.problem(key, format!("{} cannot be read: {error}", path.display()));
            Given::Unreadable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_file_of_the_certificates_is_not_shown_either() {
        let both = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
        let shown = format!("{:?}", TlsFiles { certificates: both.into(), key: both.into() });
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}
