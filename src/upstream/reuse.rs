//! Detection of requests that went over a reused connection.
//!
//! A provider may close an idle connection at the moment of its reuse. That is no failure of the provider. The sign of
//! this case: the connection was not made for the request that broke on it.

use std::cell::Cell;
use std::task::{Context, Poll};

use tower::{Layer, Service};

tokio::task_local! {
    static CONNECTED: Cell<bool>;
}

/// Runs a request, and returns whether it used a connection that was made for another. Returns false if a connection was
/// made for it, even if another was free sooner.
pub(super) async fn tracked<T>(request: impl Future<Output = T>) -> (T, bool) {
    let tracked = async {
        let answer = request.await;
        (answer, !CONNECTED.with(Cell::get))
    };
    CONNECTED.scope(Cell::new(false), tracked).await
}

/// A connector layer that records each new connection in the request that makes it.
#[derive(Debug, Clone)]
pub(super) struct TrackReuseLayer;

impl<S> Layer<S> for TrackReuseLayer {
    type Service = TrackReuse<S>;

    fn layer(&self, inner: S) -> TrackReuse<S> {
        TrackReuse(inner)
    }
}

/// The connector inside this layer.
#[derive(Debug, Clone)]
pub(super) struct TrackReuse<S>(S);

impl<S: Service<R>, R> Service<R> for TrackReuse<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        // Outside of a request there is nothing to record it in.
        let _ = CONNECTED.try_with(|connected| connected.set(true));
        self.0.call(request)
    }
}
