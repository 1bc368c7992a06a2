//! `[server]` and `[log]`: where the gateway listens, how it stops, what it says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use toml::Value;

use super::reader::Section;
use super::value::Setting;

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where clients connect. `server.bind`, `VOXGATE_BIND`; 127.0.0.1:8080.
    pub bind: SocketAddr,
    /// Where probes connect. `server.ops_bind`, `VOXGATE_OPS_BIND`; 127.0.0.1:9090.
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
}

impl Server {
    pub(super) fn read(mut section: Section) -> Self {
        let settings = Self {
            bind: section.value("bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            ops_bind: section.value("ops_bind", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
            workers: section.value("workers", 0),
            header_timeout: section.value("header_timeout", Duration::from_secs(10)),
            write_timeout: section.value("write_timeout", Duration::from_secs(30)),
            keep_alive: section.value("keep_alive", Duration::from_secs(75)),
            shutdown_timeout: section.value("shutdown_timeout", Duration::from_secs(30)),
        };
        section.finish();
        settings
    }

    /// Whether only this machine can connect. Secrets that are missing may be made up only then.
    pub fn is_loopback(&self) -> bool {
        self.bind.ip().is_loopback()
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
