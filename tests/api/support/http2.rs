//! TLS connections to the gateway, for clients of HTTP/2.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::authority::Authority;
use super::gateway::{Gateway, Setup};

/// Agrees on TLS and on `protocol` over `socket`.
pub(crate) async fn tls_handshake(socket: TcpStream, authority: &Authority, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.root_file()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

pub(crate) async fn start_with_tls(limits: &[(&str, &str)]) -> (Arc<Authority>, Gateway) {
    let authority = Arc::new(Authority::new());
    let setup = limits.iter().fold(Setup::new().tls(&authority), |setup, (name, value)| setup.env(name, value));
    (authority, setup.start().await)
}
