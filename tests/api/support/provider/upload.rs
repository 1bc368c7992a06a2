//! How far the requests have come that the provider is being sent, those included that never come to their end.

use tokio::time::timeout;

use super::{Provider, State};
use crate::support::poll::TIMEOUT;

/// A request, as far as its body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uploaded {
    /// The size of its body, as its head says.
    pub(crate) announced: usize,
    /// How much of that has come.
    pub(crate) received: usize,
    pub(crate) end: End,
}

/// How a request came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Not yet.
    Open,
    /// All of its body is there.
    Whole,
    /// The gateway went before that.
    GivenUp,
}

/// Where it is noted how far one request has come.
pub(super) struct Coming<'a> {
    state: &'a State,
    at: usize,
}

impl State {
    /// Notes that a request begins whose body will have so many bytes.
    pub(super) fn coming(&self, announced: usize) -> Coming<'_> {
        let mut at = 0;
        self.uploads.send_modify(|uploads| {
            at = uploads.len();
            uploads.push(Uploaded { announced, received: 0, end: End::Open });
        });
        Coming { state: self, at }
    }
}

impl Coming<'_> {
    pub(super) fn so_far(&self, received: usize) {
        self.note(|upload| upload.received = received.min(upload.announced));
    }

    pub(super) fn ended(&self, end: End) {
        self.note(|upload| upload.end = end);
    }

    fn note(&self, change: impl FnOnce(&mut Uploaded)) {
        self.state.uploads.send_modify(|uploads| change(&mut uploads[self.at]));
    }
}

impl Provider {
    /// How far each request has come, in the order of their heads.
    pub(crate) fn uploads(&self) -> Vec<Uploaded> {
        self.state.uploads.borrow().clone()
    }

    /// Waits until so many bytes of the body of a request have come; the first one is 0.
    pub(crate) async fn receives(&self, request: usize, bytes: usize) -> Uploaded {
        self.upload(request, |upload| upload.received >= bytes).await
    }

    /// Waits until the gateway has given a request up, and says how far it had come.
    pub(crate) async fn given_up(&self, request: usize) -> Uploaded {
        let upload = self.upload(request, |upload| upload.end != End::Open).await;
        assert_eq!(upload.end, End::GivenUp, "request {request}: {upload:?}");
        upload
    }

    async fn upload(&self, request: usize, is_so: impl Fn(&Uploaded) -> bool) -> Uploaded {
        let mut uploads = self.state.uploads.subscribe();
        let enough = |uploads: &Vec<Uploaded>| uploads.get(request).is_some_and(&is_so);
        if let Ok(Ok(uploads)) = timeout(TIMEOUT, uploads.wait_for(enough)).await {
            return uploads[request];
        }
        panic!("request {request} does not come so far: {:?}", self.uploads());
    }
}
