//! The TLS settings of the clients for providers.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::Verifier;

/// The TLS settings of every client for providers. The clients share the system's trusted certificates, which take some
/// milliseconds to parse, and the sessions to resume.
#[derive(Debug, Clone)]
pub struct ClientTls(ClientConfig);

impl ClientTls {
    /// Loads the system's trusted certificates.
    pub fn load() -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Verifier::new(Arc::clone(&provider))?);
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        // RFC 7301: a provider chooses the newest HTTP version that it speaks.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(config))
    }

    pub(super) fn config(&self) -> ClientConfig {
        self.0.clone()
    }
}
