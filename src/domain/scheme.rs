//! The scheme over which a client reaches this process.

/// The scheme of a client's connection. For HTTP/1, the connection's data hold it; HTTP/2 always uses TLS here. A proxy
/// in front may speak another scheme with its own clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}
