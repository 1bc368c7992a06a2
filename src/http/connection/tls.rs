//! TLS, by rustls: what a certificate and its key come to, and the handshake.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

use super::pipe::Socket;
use crate::config::TlsFiles;

/// HTTP/2, as ALPN names it (RFC 9113 §3.2).
const H2: &[u8] = b"h2";

/// The last second of the year 9999, which stands for no end (RFC 5280 §4.1.2.5).
const END_OF_TIME: u64 = 253_402_300_799;

/// What the first byte of TLS is, a record of the handshake (RFC 8446 §5.1), and of no request in HTTP.
const HANDSHAKE: u8 = 22;

/// What is said to who speaks plain HTTP to a port that speaks TLS.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"error\":{\"message\":\"This port speaks HTTPS: use https:// in the address.\",\
    \"type\":\"invalid_request_error\",\"param\":null,\"code\":\"https_required\"}}\n";

/// Why no TLS can be spoken with what is in the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or another thing in PEM.
    #[error("server.tls_cert: {0}; takes a file of certificates in PEM, its own first")]
    Certificates(Pem),
    /// The same for the key.
    #[error("server.tls_key: {0}; takes a private key in PEM without a password")]
    Key(Pem),
    /// The first certificate is not one.
    #[error("server.tls_cert: its first certificate cannot be read")]
    NoCertificate,
    /// They do not fit together, or are of a kind that is not spoken.
    #[error("server.tls_cert, server.tls_key: {0}")]
    Pair(#[from] rustls::Error),
}

/// What is wrong with a file of PEM. The original would quote it.
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

/// What speaks TLS to clients, by one certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    /// When the certificate ends.
    ends: SystemTime,
}

impl Tls {
    /// What speaks TLS with these.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(files.certificates.expose_secret().as_bytes()).collect();
        let certificates = certificates.map_err(|error| TlsError::Certificates(Pem(error)))?;
        let first = certificates.first().ok_or(TlsError::Certificates(Pem(pem::Error::NoItemsFound)))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| TlsError::NoCertificate)?;
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
        let ends = UNIX_EPOCH + Duration::from_secs(seconds.min(END_OF_TIME));
        let key = PrivateKeyDer::from_pem_slice(files.key.expose_secret().as_bytes());
        let key = key.map_err(|error| TlsError::Key(Pem(error)))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        // A client that comes back needs no second handshake, and nothing about it is kept here.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), ends })
    }

    /// When the certificate ends.
    pub fn ends(&self) -> SystemTime {
        self.ends
    }

    /// Agrees with a client on how to speak. One that does not within `patience` is gone.
    pub(super) async fn accept(&self, socket: Socket, patience: Duration) -> io::Result<TlsStream<Socket>> {
        timeout(patience, async {
            if socket.first_byte().await? != HANDSHAKE {
                // Whoever cannot be told will find out otherwise.
                let _ = tell_to_use_https(socket).await;
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.acceptor.accept(socket).await
        })
        .await?
    }
}

async fn tell_to_use_https(mut socket: Socket) -> io::Result<()> {
    socket.write_all(PLAIN).await?;
    socket.shutdown().await?;
    // To close what still has bytes to read would reset it, and the answer with it.
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if socket.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// Whether HTTP/2 was agreed on.
pub(super) fn is_http2(stream: &TlsStream<Socket>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}
