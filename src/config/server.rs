//! `[server]` and `[log]`: the addresses, connections and shutdown of the gateway, and its log.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use super::reader::Section;
use super::value::{Expected, Setting, text_settings};
use crate::domain::words::words;

/// `[server]`, except the certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address for clients. `server.bind`, `VOXGATE_BIND`; 127.0.0.1:8080.
    pub bind: SocketAddr,
    /// The address for probes and Prometheus. `server.ops_bind`, `VOXGATE_OPS_BIND`; 127.0.0.1:9464. `None`: there is no
    /// such listener, which no setting says, but only [`Settings::for_one_command`](super::Settings::for_one_command).
    pub ops_bind: Option<SocketAddr>,
    /// The number of worker threads; 0 is one per core.
    pub workers: usize,
    /// The time for a request's head; 10s.
    pub header_timeout: Duration,
    /// The longest time that a client may read nothing of its answer; 30s.
    pub write_timeout: Duration,
    /// The time that an idle connection is kept; 75s.
    pub keep_alive: Duration,
    /// The time for requests in flight to finish at shutdown; 30s.
    pub shutdown_timeout: Duration,
    /// The largest number of requests with audio in flight; 4096, or fewer if the limit of open files is lower.
    pub max_in_flight: usize,
    /// The number of further requests that may wait for one of them to end; 256.
    pub max_queue: usize,
    /// The time that they wait; 1s.
    pub queue_timeout: Duration,
    /// The largest number of client connections at once; 10000, or fewer if the limit of open files is lower.
    pub max_connections: usize,
    /// The largest number of connections of one address at once; unbounded, since behind a proxy all have the same
    /// address.
    pub max_connections_per_address: Option<usize>,
    /// True if the gateway refuses requests that did not come over HTTPS, to it or to a trusted proxy; false.
    pub require_https: bool,
    /// The proxies that may state how a request came to them; none.
    pub trusted_proxies: Vec<IpNet>,
    /// The time for which browsers must use HTTPS after the first visit; a year. `None` sends no such header.
    pub hsts: Option<Duration>,
}

/// The default of `server.hsts`.
const A_YEAR: Duration = Duration::from_hours(365 * 24);

impl Server {
    /// Reads the section after its certificate and key, which are there if `has_tls`.
    pub(super) fn read(mut section: Section, has_tls: bool) -> Self {
        let in_flight = section.ranged("max_in_flight", 1..=1_000_000);
        let connections = section.ranged("max_connections", 1..=1_000_000);
        let per_address = section.ranged("max_connections_per_address", 0..=1_000_000);
        let settings = Self {
            bind: section.value("bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            ops_bind: Some(section.value("ops_bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)))),
            workers: section.value("workers", 0),
            header_timeout: section.value("header_timeout", Duration::from_secs(10)),
            write_timeout: section.value("write_timeout", Duration::from_secs(30)),
            keep_alive: section.value("keep_alive", Duration::from_secs(75)),
            shutdown_timeout: section.value("shutdown_timeout", Duration::from_secs(30)),
            max_in_flight: in_flight.and_then(|max| max.try_into().ok()).unwrap_or(4096),
            max_queue: section.value("max_queue", 256),
            queue_timeout: section.value("queue_timeout", Duration::from_secs(1)),
            max_connections: connections.and_then(|max| max.try_into().ok()).unwrap_or(10_000),
            max_connections_per_address: per_address.filter(|max| *max > 0).and_then(|max| max.try_into().ok()),
            require_https: section.value("require_https", false),
            trusted_proxies: section.value("trusted_proxies", Vec::new()),
            hsts: section.value("hsts", Hsts(Some(A_YEAR))).0,
        };
        if settings.require_https && !has_tls && settings.trusted_proxies.is_empty() {
            let what = "no request could come over HTTPS: set tls_cert and tls_key, or trusted_proxies";
            section.problem("require_https", what);
        }
        section.finish();
        settings
    }

    /// Returns the number of worker threads: the setting, or one for each processor core.
    pub fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
            workers => workers,
        }
    }

    /// True if only this machine can connect. Only then may the gateway generate missing secrets.
    pub fn is_loopback(&self) -> bool {
        self.bind.ip().is_loopback()
    }
}

/// `server.hsts`
struct Hsts(Option<Duration>);

impl Setting for Hsts {
    type Err = Expected;

    fn parse(value: &Value) -> Result<Self, Expected> {
        let expected = Expected("a duration such as \"365days\", or \"off\"");
        match value.as_str().ok_or(expected)? {
            "off" => Ok(Self(None)),
            text => humantime::parse_duration(text).map(|span| Self(Some(span))).map_err(|_| expected),
        }
    }
}

/// The format of log lines: `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// A JSON object per line.
    Json,
    /// Text for people.
    Pretty,
}

words!(LogFormat { Auto = "auto", Json = "json", Pretty = "pretty" });
text_settings!(LogFormat);

pub(super) fn read_log(mut section: Section) -> LogFormat {
    let format = section.value("format", LogFormat::default());
    section.finish();
    format
}
