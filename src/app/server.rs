//! Startup and shutdown: builds the state from the settings, opens the listeners, and closes them in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use actix_server::{Server, ServerHandle};
use actix_service::IntoServiceFactory;
use actix_web::App;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing_actix_web::TracingLogger;

use super::build::{BuildError, build_state};
use super::connections::Connections;
use super::fd_limit::Shares;
use super::reload::{Reloader, SettingsSource};
use super::signals::Signals;
use crate::admission::{Limiter, LimiterError};
use crate::config::Settings;
use crate::http;
use crate::http::{CurrentState, SharedState};
use crate::intake::{SpoolDirectoryError, probe_directory};
use crate::limits::clock::Clock;
use crate::sandbox::Sandbox;
use crate::settlement::SettlementQueue;
use crate::telemetry::traces::{Traces, TracesError};
use crate::telemetry::{RequestSpan, metrics};
use crate::transport;
use crate::transport::{Tls, TlsError};
use crate::upstream::{ClientTls, Upstream};

/// The reason why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that is in use, or does not belong to this machine.
    #[error("{key}: cannot listen on {address}: {error}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// The setting's value.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// Any other error of the system.
    #[error("the server cannot be started: {0}")]
    Io(#[from] io::Error),
    /// An error of the store that keeps the limits.
    #[error(transparent)]
    Limiter(#[from] LimiterError),
    /// A TLS certificate or key that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An HTTP client that cannot be created, for example for lack of trusted certificates.
    #[error("the client for the providers cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// Trusted certificates of the system that cannot be loaded.
    #[error("the system's trusted certificates cannot be loaded: {0}")]
    TrustedCertificates(#[from] rustls::Error),
    /// A directory in which no recording can be kept.
    #[error(transparent)]
    SpoolDirectory(#[from] SpoolDirectoryError),
    /// Settings that no state can be built from.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A trace exporter that cannot be created.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// A gateway that listens and is ready to run.
pub struct Application {
    address: SocketAddr,
    current_state: Data<CurrentState>,
    connections: Connections,
    settlements: SettlementQueue,
    public: Server,
    operational: Option<Operational>,
    sandbox: Option<Sandbox>,
    shutdown: watch::Sender<bool>,
}

/// The operational listener.
struct Operational {
    address: SocketAddr,
    server: Server,
    /// Closes the listener, last of all.
    shutdown: watch::Sender<bool>,
}

impl Application {
    /// Opens the listeners. From then on the system accepts connections; the gateway answers them once it runs. Call it on
    /// a tokio runtime.
    pub fn build(settings: Settings) -> Result<Self, StartError> {
        let public_socket = listen("server.bind", settings.fixed.server.bind)?;
        let ops_socket =
            settings.fixed.server.ops_bind.map(|address| listen("server.ops_bind", address)).transpose()?;
        let address = public_socket.local_addr()?;
        probe_directory(&settings.fixed.spool.spool_dir)?;
        let sandbox = if settings.uses_sandbox() { Some(Sandbox::start(&settings)?) } else { None };
        let client_tls = ClientTls::load()?;
        // Check once here, so that an error stops the start; each worker creates its own.
        Upstream::new(&settings, &client_tls)?;
        let tls = settings.tls.as_ref().map(Tls::new).transpose()?;
        let (limiter, settlements) = Limiter::open(&settings.fixed.store, &Clock::system())?;
        let traces = Traces::start(&settings.fixed.telemetry)?;
        let fd_shares = Shares::of(&settings.fixed.server, settings.fixed.live);
        let connections = Connections::new(fd_shares.connections, &settings.fixed.server, tls);
        let shared = SharedState::new(
            &settings,
            fd_shares.in_flight,
            fd_shares.live,
            limiter,
            traces,
            sandbox.as_ref().map(Sandbox::provider),
            connections.metrics(),
        )?;
        let current_state = Data::new(CurrentState::new(build_state(settings, Arc::new(shared), None)?));
        let (shutdown, on_shutdown) = watch::channel(false);
        let operational = ops_socket.map(|socket| Operational::build(socket, &current_state, &connections));
        Ok(Self {
            address,
            public: public(public_socket, &current_state, &client_tls, &connections, on_shutdown)?,
            operational: operational.transpose()?,
            current_state,
            connections,
            settlements,
            sandbox,
            shutdown,
        })
    }

    /// Returns the address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address for probes, if there is one.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.operational.as_ref().map(|operational| operational.address)
    }

    /// Serves until SIGTERM or Ctrl-C, then finishes requests in flight. A second signal stops the gateway at once. A reload
    /// reads the settings from `source`.
    pub async fn run(self, source: SettingsSource, signals: Signals) -> io::Result<()> {
        let Signals { mut terminate, mut interrupt, hangup } = signals;
        let reloader = Reloader::new(self.current_state.clone(), Arc::clone(&self.connections.tls), source);
        let reloading = tokio::spawn(reloader.watch(hangup));
        let on_signal = async || {
            tokio::select! {
                () = terminate.recv() => {}
                () = interrupt.recv() => {}
            }
        };
        let stopped = self.run_until(on_signal).await;
        reloading.abort();
        stopped
    }

    /// Serves until `stop` completes, then finishes requests in flight. If `stop` completes once more, they are dropped.
    pub async fn run_until(self, mut stop: impl AsyncFnMut()) -> io::Result<()> {
        let Self { current_state, settlements, public, operational, sandbox, shutdown, .. } = self;
        let upkeep = tokio::spawn(metrics::upkeep());
        let public_handle = public.handle();
        let public = tokio::spawn(public);
        let operational = operational.map(|Operational { server, shutdown, .. }| {
            let handle = server.handle();
            (tokio::spawn(server), handle, shutdown)
        });
        stop().await;
        let state = current_state.current();
        state.shared.stop();
        tracing::info!(at_most = ?state.settings.fixed.server.shutdown_timeout, "stopping: finishing requests in flight");
        let finish = async {
            // Their words are read by connections that are not open yet. What is left of the time is for requests in flight.
            state.shared.live.stop(state.settings.fixed.server.shutdown_timeout / 2).await;
            shutdown.send_replace(true);
            join(&public_handle, true, public).await?;
            // Keep the operational listener until last, so that probes see the gateway stop. The sandbox must serve
            // requests in flight.
            if let Some(sandbox) = sandbox {
                sandbox.stop().await;
            }
            if let Some((operational, handle, shutdown)) = operational {
                shutdown.send_replace(true);
                join(&handle, false, operational).await?;
            }
            Ok::<_, io::Error>(())
        };
        tokio::select! {
            finished = finish => finished?,
            () = stop() => tracing::warn!("a second signal: requests in flight are dropped"),
        }
        upkeep.abort();
        // No request is in flight any more; the costs of all are in the store or in the journal on disk.
        settlements.close().await;
        if let Some(traces) = &state.shared.traces {
            traces.close().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Stops a server, and waits until it has stopped.
async fn join(handle: &ServerHandle, graceful: bool, server: JoinHandle<io::Result<()>>) -> io::Result<()> {
    handle.stop(graceful).await;
    server.await.map_err(io::Error::other)?
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    socket.map_err(|error| StartError::Listen { key, address, error })
}

/// The connections that a worker may accept beyond its share: they wait to be counted, or to be closed.
const WORKER_SLACK: usize = 4;

fn public(
    socket: TcpListener,
    current_state: &Data<CurrentState>,
    client_tls: &ClientTls,
    connections: &Connections,
    shutdown: watch::Receiver<bool>,
) -> io::Result<Server> {
    let state = current_state.current();
    let settings = &state.settings.fixed.server;
    let workers = settings.worker_threads();
    let share = connections.public.max().div_ceil(workers);
    let acceptor = connections.public_acceptor(current_state, shutdown);
    let server = Server::build()
        .disable_signals()
        .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
        .workers(workers)
        // A busy worker must not accept an unlimited number of connections, since each takes a file descriptor.
        .max_concurrent_connections(share + WORKER_SLACK);
    let (current_state, client_tls) = (current_state.clone(), client_tls.clone());
    let server = server.listen("voxgate", socket, move || {
        let (own, client_tls, cors) =
            (current_state.clone(), client_tls.clone(), http::cors(&current_state.current().settings.fixed.cors));
        let application = App::new()
            .app_data(current_state.clone())
            .data_factory(move || {
                let state = own.current();
                let upstream = Upstream::new(&state.settings, &client_tls);
                async move { upstream.map(Rc::new) }
            })
            .wrap(cors)
            .wrap(from_fn(http::record_requests))
            .wrap(TracingLogger::<RequestSpan>::new())
            .configure(http::public);
        transport::accept(application.into_factory(), acceptor.clone())
    })?;
    Ok(server.run())
}

impl Operational {
    /// Builds the operational listener, for probes and Prometheus, which need no token. Clients must not reach it. It has
    /// its own thread and its own connections, so it answers even when the public listener cannot.
    fn build(
        socket: TcpListener,
        current_state: &Data<CurrentState>,
        connections: &Connections,
    ) -> Result<Self, StartError> {
        let address = socket.local_addr()?;
        let (shutdown, on_shutdown) = watch::channel(false);
        let max = connections.ops.max();
        let (current_state, acceptor) = (current_state.clone(), connections.ops_acceptor(current_state, on_shutdown));
        let server = Server::build()
            .disable_signals()
            .shutdown_timeout(1)
            .workers(1)
            .max_concurrent_connections(max + WORKER_SLACK)
            .listen("voxgate-ops", socket, move || {
                let application = App::new().app_data(current_state.clone()).configure(http::operational);
                transport::accept(application.into_factory(), acceptor.clone())
            })?;
        Ok(Self { address, server: server.run(), shutdown })
    }
}
