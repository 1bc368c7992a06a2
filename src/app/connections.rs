//! The connections of both listeners, and the answers for them that only `http` can give.

use std::sync::Arc;

use actix_web::web::Data;
use tokio::sync::watch;

use super::fd_limit::OPS_CONNECTIONS;
use crate::config::Server;
use crate::http;
use crate::http::{CurrentState, HeadProblem, MalformedHead, WriteMetrics};
use crate::transport::{Acceptor, CurrentTls, HeadFault, Hooks, OpenConnections, Tls, write_metrics};

/// The connections of both listeners.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) public: Arc<OpenConnections>,
    pub(super) ops: Arc<OpenConnections>,
    /// The TLS acceptor of the public listener.
    pub(super) tls: Arc<CurrentTls>,
}

impl Connections {
    /// Allows `max` public connections at once.
    pub(super) fn new(max: usize, server: &Server, tls: Option<Tls>) -> Self {
        Self {
            public: OpenConnections::new(max, server.max_connections_per_address),
            ops: OpenConnections::new(OPS_CONNECTIONS, None),
            tls: Arc::new(CurrentTls::new(tls)),
        }
    }

    /// Returns the writer of their metrics.
    pub(super) fn metrics(&self) -> WriteMetrics {
        let Self { public, ops, tls } = self.clone();
        Box::new(move |page| {
            let listeners: [(&str, &OpenConnections); 2] = [("public", &public), ("ops", &ops)];
            write_metrics(page, &listeners, tls.load().as_deref());
        })
    }

    /// Returns the acceptor of the public listener.
    pub(super) fn public_acceptor(
        &self,
        current_state: &Data<CurrentState>,
        shutdown: watch::Receiver<bool>,
    ) -> Acceptor {
        let refuse = current_state.clone();
        Acceptor {
            connections: Arc::clone(&self.public),
            tls: Some(Arc::clone(&self.tls)),
            limits: (&current_state.current().settings.fixed.server).into(),
            shutdown,
            hooks: Hooks {
                refuse: Arc::new(move |fault, scheme| http::refuse(&refuse.current(), malformed(fault), scheme)),
                ..hooks(current_state)
            },
        }
    }

    /// Returns the acceptor of the operational listener: plain HTTP, without records.
    pub(super) fn ops_acceptor(&self, current_state: &Data<CurrentState>, shutdown: watch::Receiver<bool>) -> Acceptor {
        Acceptor {
            connections: Arc::clone(&self.ops),
            tls: None,
            limits: (&current_state.current().settings.fixed.server).into(),
            shutdown,
            hooks: hooks(current_state),
        }
    }
}

/// Returns the hooks of a listener that records no invalid requests.
fn hooks(current_state: &Data<CurrentState>) -> Hooks {
    let current_state = current_state.clone();
    Hooks {
        refuse: Arc::new(|fault, _| http::refuse_unrecorded(malformed(fault))),
        before_continue: Arc::new(move |request| {
            let current_state = current_state.clone();
            Box::pin(async move { http::before_continue(&current_state.current(), request).await })
        }),
    }
}

fn malformed(fault: HeadFault) -> MalformedHead {
    let problem = match fault {
        HeadFault::Slow => HeadProblem::Slow,
        HeadFault::TargetTooLong => HeadProblem::TargetTooLong,
        HeadFault::TooLarge | HeadFault::TooManyFields => HeadProblem::TooLarge,
        _ => HeadProblem::Malformed,
    };
    MalformedHead { problem, message: fault.to_string() }
}
