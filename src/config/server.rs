//! `[server]` and `[log]`: where the gateway listens, how it stops, what it says.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use super::reader::Section;
use super::tls::TlsFiles;
use super::value::Setting;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where clients connect. `server.bind`, `VOXGATE_BIND`; 127.0.0.1:8080.
    pub bind: SocketAddr,
    /// Where probes and Prometheus connect. `server.ops_bind`, `VOXGATE_OPS_BIND`; 127.0.0.1:9464.
    pub ops_bind: SocketAddr,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// Time for a request's head; 10s.
    pub header_timeout: Duration,
    /// The longest time that a client may take nothing of its answer; 30s.
    pub write_timeout: Duration,
    /// Time that an idle connection is kept; 75s.
    pub keep_alive: Duration,
    /// Time for requests in flight to finish at shutdown; 30s.
    pub shutdown_timeout: Duration,
    /// The most requests with audio in flight; 4096, or as many as there may be files open for.
    pub max_in_flight: usize,
    /// How many more may wait for one of them to end; 256.
    pub max_queue: usize,
    /// How long they wait; 1s.
    pub queue_timeout: Duration,
    /// The most connections of clients at once; 10000, or as many as there may be files open for.
    pub max_connections: usize,
    /// The most connections of one address at once; unbounded, since behind a proxy all have one.
    pub max_connections_per_address: Option<usize>,
    /// What HTTPS is spoken with; without it, plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether requests are refused that did not come over HTTPS, to here or to a trusted proxy; false.
    pub require_https: bool,
    /// Proxies whose word is taken for how a request came to them; none.
    pub trusted_proxies: Vec<IpNet>,
    /// For how long browsers shall come by HTTPS only, once they did; a year, `None` to tell them nothing.
    pub hsts: Option<Duration>,
}

/// What browsers are told unless set otherwise.
const A_YEAR: Duration = Duration::from_hours(365 * 24);

impl Server {
    pub(super) fn read(mut section: Section) -> Self {
        let in_flight = section.ranged("max_in_flight", 1..=1_000_000);
        let connections = section.ranged("max_connections", 1..=1_000_000);
        let per_address = section.ranged("max_connections_per_address", 0..=1_000_000);
        let settings = Self {
            bind: section.value("bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            ops_bind: section.value("ops_bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
            workers: section.value("workers", 0),
            header_timeout: section.value("header_timeout", Duration::from_secs(10)),
            write_timeout: section.value("write_timeout", Duration::from_secs(30)),
            keep_alive: section.value("keep_alive", Duration::from_secs(75)),
            shutdown_timeout: section.value("shutdown_timeout", Duration::from_secs(30)),
            max_in_flight: in_flight.and_then(|most| most.try_into().ok()).unwrap_or(4096),
            max_queue: section.value("max_queue", 256),
            queue_timeout: section.value("queue_timeout", Duration::from_secs(1)),
            max_connections: connections.and_then(|max| max.try_into().ok()).unwrap_or(10_000),
            max_connections_per_address: per_address.filter(|max| *max > 0).and_then(|max| max.try_into().ok()),
            tls: TlsFiles::read(&mut section),
            require_https: section.value("require_https", false),
            trusted_proxies: section.value("trusted_proxies", Vec::new()),
            hsts: section.value("hsts", Hsts(Some(A_YEAR))).0,
        };
        if settings.require_https && settings.tls.is_none() && settings.trusted_proxies.is_empty() {
            let what = "no request could come over HTTPS: set tls_cert and tls_key, or trusted_proxies";
            section.problem("require_https", what);
        }
        section.finish();
        settings
    }

    /// The number of worker threads: as set, or one for each processor core.
    pub fn worker_threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
            workers => workers,
        }
    }

    /// Whether only this machine can connect. Secrets that are missing may be made up only then.
    pub fn is_loopback(&self) -> bool {
        self.bind.ip().is_loopback()
    }
}

/// `server.hsts`
struct Hsts(Option<Duration>);

impl Setting for Hsts {
    const TAKES: &'static str = "a duration such as \"365days\", or \"off\"";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "off" => Some(Self(None)),
            text => humantime::parse_duration(text).ok().map(|span| Self(Some(span))),
        }
    }
}

/// `log.format`: how log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Setting for LogFormat {
    const TAKES: &'static str = "\"auto\", \"json\" or \"pretty\"";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "auto" => Some(Self::Auto),
            "json" => Some(Self::Json),
            "pretty" => Some(Self::Pretty),
            _ => None,
        }
    }
}

pub(super) fn read_log(mut section: Section) -> LogFormat {
    let format = section.value("format", LogFormat::default());
    section.finish();
    format
}
