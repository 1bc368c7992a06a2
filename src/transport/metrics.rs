//! The metrics of connections and of the certificate, read when Prometheus asks.

use std::time::UNIX_EPOCH;

use super::open_connections::OpenConnections;
use super::tls::Tls;
use crate::telemetry::metrics::{CONNECTIONS, CONNECTIONS_LIMIT, Page, TLS_ENDS};

/// Writes the open connections of the named `listeners`, their limits, and the expiry of the certificate.
pub fn write_metrics(page: &mut Page, listeners: &[(&str, &OpenConnections)], tls: Option<&Tls>) {
    page.gauge(&CONNECTIONS, listeners.iter().map(|(name, open)| ([*name], number(open.count()))));
    page.gauge(&CONNECTIONS_LIMIT, listeners.iter().map(|(name, open)| ([*name], number(open.max()))));
    let expiry = |tls: &Tls| tls.expires().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    page.gauge(&TLS_ENDS, tls.map(|tls| ([], expiry(tls))));
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
