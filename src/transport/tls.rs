//! TLS with rustls: loading of a certificate and its key, and the handshake.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::io::Socket;
use crate::config::TlsFiles;

/// The ALPN name of HTTP/2 (RFC 9113 §3.2).
const H2: &[u8] = b"h2";

/// The last second of the year 9999, which means "no expiry" (RFC 5280 §4.1.2.5).
const END_OF_TIME: u64 = 253_402_300_799;

/// The first byte of a TLS handshake record (RFC 8446 §5.1). No HTTP request begins with it.
const HANDSHAKE: u8 = 22;

/// The response to plain HTTP on the TLS port.
const HTTPS_REQUIRED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"error\":{\"message\":\"This port speaks HTTPS: use https:// in the address.\",\
    \"type\":\"invalid_request_error\",\"param\":null,\"code\":\"https_required\"}}\n";

/// The reasons why the certificate and key files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is not PEM, or contains other PEM items.
    #[error("server.tls_cert: {0}; takes a file of certificates in PEM, its own first")]
    Certificates(Pem),
    /// The key file is not PEM, or contains other PEM items.
    #[error("server.tls_key: {0}; takes a private key in PEM without a password")]
    Key(Pem),
    /// The first certificate cannot be parsed.
    #[error("server.tls_cert: its first certificate cannot be read")]
    NoCertificate,
    /// The certificate and the key do not match, or rustls does not support them.
    #[error("server.tls_cert, server.tls_key: {0}")]
    Pair(#[from] rustls::Error),
}

/// The error of a PEM file, without the quote from the file that the original error contains.
#[derive(Debug)]
pub struct Pem(pem::Error);

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            pem::Error::NoItemsFound => "holds none",
            _ => "is not PEM",
        })
    }
}

/// A TLS acceptor with one certificate.
pub struct Tls {
    acceptor: TlsAcceptor,
    /// The expiry of the certificate.
    expires: SystemTime,
}

/// The TLS acceptor in force, which a reload replaces. Without one, the listener serves plain HTTP.
pub struct CurrentTls(ArcSwapOption<Tls>);

impl CurrentTls {
    /// Creates the holder with its first acceptor, if there is one.
    pub fn new(tls: Option<Tls>) -> Self {
        Self(ArcSwapOption::from(tls.map(Arc::new)))
    }

    /// Returns the acceptor for a connection that begins now. The connection keeps its certificate after a reload.
    pub fn load(&self) -> Option<Arc<Tls>> {
        self.0.load_full()
    }

    /// Replaces the acceptor.
    pub fn replace(&self, tls: Option<Tls>) {
        self.0.store(tls.map(Arc::new));
    }
}

impl Tls {
    /// Builds an acceptor from the certificate and the key.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(files.certificates.expose_secret().as_bytes()).collect();
        let certificates = certificates.map_err(|error| TlsError::Certificates(Pem(error)))?;
        let first = certificates.first().ok_or(TlsError::Certificates(Pem(pem::Error::NoItemsFound)))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| TlsError::NoCertificate)?;
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
        let expires = UNIX_EPOCH + Duration::from_secs(seconds.min(END_OF_TIME));
        let key = PrivateKeyDer::from_pem_slice(files.key.expose_secret().as_bytes());
        let key = key.map_err(|error| TlsError::Key(Pem(error)))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        // Session tickets: a returning client skips the full handshake, and the gateway stores nothing about it.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), expires })
    }

    /// Returns the expiry of the certificate.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Performs the handshake with a client. Fails if it takes longer than `time_limit`.
    pub(super) async fn accept(&self, socket: Socket, time_limit: Duration) -> io::Result<TlsStream<Socket>> {
        timeout(time_limit, async {
            if socket.first_byte().await? != HANDSHAKE {
                // The client may not read the answer; it then sees only the closed connection.
                let _ = answer_plain_http(socket).await;
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.acceptor.accept(socket).await
        })
        .await?
    }
}

async fn answer_plain_http(mut socket: Socket) -> io::Result<()> {
    socket.write_all(HTTPS_REQUIRED).await?;
    socket.shutdown().await?;
    // Closing a socket with unread bytes resets the connection, and the client loses the answer.
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if socket.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// Returns true if ALPN selected HTTP/2.
pub(super) fn is_http2(stream: &TlsStream<Socket>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}
