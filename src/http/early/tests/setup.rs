//! A gateway without listeners, an upload that a test sends piece by piece, and a provider in this process.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Write;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::admission::Limiter;
use crate::config::{Model, Settings};
use crate::domain::terms::Task;
use crate::domain::{AudioMs, Scheme};
use crate::exchange::Record;
use crate::http::context::RequestContext;
use crate::http::dispatch::{Dispatch, InFlight};
use crate::http::error::ApiError;
use crate::http::headers::client_timeout::ClientTimeouts;
use crate::http::middleware::https::RequestScheme;
use crate::http::state::{AppState, SharedState};
use crate::identity::{Caller, Caps, Scope, Scopes, Verifier};
use crate::intake::{self, BodyForm, Incoming, UploadStart};
use crate::limits::clock::Clock;
use crate::models::{AttemptFailure, AttemptTarget};
use crate::settlement::SettlementQueue;
use crate::upstream::{Answer, ForwardRequest, Providers, Reply, ReplyFuture, UpstreamError};

/// The content type of a [`form`].
pub(super) const FORM: &str = "multipart/form-data; boundary=----voxgate";

/// Builds 8-bit mono of `samples` bytes at `rate`: large enough for early forwarding.
pub(super) fn wav(samples: u32, rate: u32) -> Vec<u8> {
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + samples).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(b"\x01\0\x08\0data");
    wav.extend_from_slice(&samples.to_le_bytes());
    wav.extend((0..samples).map(|i| u8::try_from(i % 251).unwrap()));
    wav
}

/// Builds a recording whose header claims hardly any of its sound.
pub(super) fn understated(samples: u32, rate: u32) -> Vec<u8> {
    let mut wav = wav(samples, rate);
    wav[40..44].copy_from_slice(&16_u32.to_le_bytes());
    wav
}

/// Builds a form with a field before the recording and one behind it.
pub(super) fn form(before: (&str, &str), recording: &[u8], behind: (&str, &str)) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |head: String, content: &[u8]| {
        write!(body, "------voxgate\r\nContent-Disposition: form-data; {head}\r\n\r\n").unwrap();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    part(format!("name=\"{}\"", before.0), before.1.as_bytes());
    part("name=\"file\"; filename=\"upload\"".to_owned(), recording);
    part(format!("name=\"{}\"", behind.0), behind.1.as_bytes());
    body.extend_from_slice(b"------voxgate--\r\n");
    body
}

/// The state of a gateway, with its store in a folder of its own.
pub(super) struct Gateway {
    state: Arc<AppState>,
    _queue: SettlementQueue,
    _folder: TempDir,
}

impl Gateway {
    /// Starts a gateway whose default plan has these settings.
    pub(super) fn with_plan(plan: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        let directory = folder.path().join("data");
        write!(
            file,
            "default_model = \"m\"\n[store]\ndata_dir = \"{}\"\n[providers.openai]\napi_key = \"sk-test\"\n[models.m]\n[identity]\n\
             jwt_secret = \"0123456789abcdef0123456789abcdef0123\"\n\
             [plans.default]\n{plan}\n",
            directory.display()
        )
        .unwrap();
        let settings = Settings::load(Some(file.path())).unwrap();
        let (limiter, queue) = Limiter::open(&settings.fixed.store, &Clock::system()).unwrap();
        let shared = Arc::new(SharedState::new(&settings, 10, 1, limiter, None, None, Box::new(|_| {})).unwrap());
        let verifier = Verifier::new(settings.identity.own_keys(), settings.identity.rules.clone()).unwrap();
        let providers = Arc::new(Providers::new(&settings.providers, &settings.upstream));
        let state = Arc::new(AppState::new(settings, verifier, providers, shared));
        Self { state, _queue: queue, _folder: folder }
    }

    /// Takes in an upload and dispatches its job to `provider`.
    pub(super) async fn dispatch(&self, provider: &Provider, upload: &Upload) -> Result<InFlight, ApiError> {
        let record = Record::start("id".to_owned(), "POST", "/v1/audio/transcriptions");
        let scheme = RequestScheme::new(&self.state.settings.fixed.server, Scheme::Http, None, &HeaderMap::new());
        let context = RequestContext::new(Arc::clone(&self.state), record, scheme, None);
        let caller = caller();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(upload.content_type));
        let incoming = Incoming {
            task: Task::Transcribe,
            form: BodyForm::from_content_type(Some(upload.content_type)).unwrap(),
            declared: u64::try_from(upload.body.len()).ok(),
            headers: &headers,
            query: "model=m",
            key: caller.share_key(),
            body: Box::pin(stream::unfold(upload.pieces.take().unwrap(), |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece, pieces))
            })),
        };
        let provider = provider.clone();
        let dispatch = Dispatch {
            context: &context,
            caller: &caller,
            limit: ClientTimeouts::default(),
            prefers_events: false,
            send: Rc::new(move |request| provider.forward(request)),
        };
        match intake::take_in(&self.state.settings.intake, &self.state.shared.intake, incoming).start().await? {
            UploadStart::Complete(_) => panic!("the recording is not forwarded early"),
            UploadStart::Early(early, rest) => dispatch.dispatch_early(early, rest).await,
        }
    }

    /// Passes on the provider's answer to a client, and returns the number of attempts.
    pub(super) async fn answer(&self, in_flight: InFlight) -> u32 {
        let InFlight { mut exchange, forwarding, .. } = in_flight;
        forwarding.await.unwrap();
        exchange.completed();
        exchange.permit().attempts().count()
    }

    /// Returns the audio charged to the caller, once all requests are settled.
    pub(super) async fn charged(&self) -> AudioMs {
        loop {
            let statement = self.state.admission.statement(&caller(), None).await.unwrap();
            if statement.open().requests == 0 && self.state.shared.limiter.in_flight(&caller().subject) == 0 {
                return statement.total.audio_ms;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Returns the audio charged to requests in flight.
    pub(super) async fn estimated(&self) -> AudioMs {
        self.state.admission.statement(&caller(), None).await.unwrap().open().audio_ms
    }
}

fn caller() -> Caller {
    Caller {
        subject: "alice".parse().unwrap(),
        scopes: Scopes::from_iter([Scope::Transcribe]),
        plan: "default".to_owned(),
        token_id: None,
        expires_at: u64::from(u32::MAX),
        issued_at: None,
        caps: Caps::default(),
        maker: None,
    }
}

type Piece = Result<Bytes, PayloadError>;

/// An upload that a test sends piece by piece.
pub(super) struct Upload {
    content_type: &'static str,
    body: Vec<u8>,
    sent: Cell<usize>,
    connection: RefCell<Option<UnboundedSender<Piece>>>,
    pieces: RefCell<Option<UnboundedReceiver<Piece>>>,
}

impl Upload {
    pub(super) fn new(content_type: &'static str, body: Vec<u8>) -> Self {
        let (connection, pieces) = unbounded_channel();
        let (connection, pieces) = (RefCell::new(Some(connection)), RefCell::new(Some(pieces)));
        Self { content_type, body, sent: Cell::new(0), connection, pieces }
    }

    /// Sends all but the last `left` bytes; the body does not end.
    pub(super) fn send_all_but(&self, left: usize) {
        let (from, to) = (self.sent.get(), self.body.len() - left);
        for piece in self.body[from..to].chunks(10_000) {
            self.send(Ok(Bytes::copy_from_slice(piece)));
        }
        self.sent.set(to);
    }

    /// Sends the rest, and the end of the body.
    pub(super) fn send_rest(&self) {
        self.send_all_but(0);
        self.connection.take();
    }

    /// Ends the connection.
    pub(super) fn break_off(&self) {
        self.send(Err(PayloadError::Incomplete(None)));
        self.connection.take();
    }

    fn send(&self, piece: Piece) {
        self.connection.borrow().as_ref().unwrap().send(piece).unwrap();
    }
}

/// The behaviour of the provider towards a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    /// It reads the recording and answers.
    Answers,
    /// It closes the connection after so many bytes.
    BreaksAfter(usize),
    /// It cannot be reached any more after so many bytes.
    FailsAfter(usize),
}

/// A provider that does with each request what the test says.
#[derive(Clone)]
pub(super) struct Provider {
    next: Rc<RefCell<VecDeque<Then>>>,
    /// The bytes that each request has brought so far.
    received: Rc<RefCell<Vec<usize>>>,
}

impl Provider {
    pub(super) fn that(next: impl IntoIterator<Item = Then>) -> Self {
        Self { next: Rc::new(RefCell::new(next.into_iter().collect())), received: Rc::default() }
    }

    /// Returns the bytes that each request has brought so far.
    pub(super) fn received(&self) -> Vec<usize> {
        self.received.borrow().clone()
    }

    /// Polls `request` until the provider's first request has brought `bytes`.
    pub(super) async fn has(&self, bytes: usize, mut request: Pin<&mut impl Future>) {
        while self.received().first().is_none_or(|&received| received < bytes) {
            assert!(request.as_mut().now_or_never().is_none(), "it has ended");
            tokio::task::yield_now().await;
        }
    }

    fn forward(&self, request: ForwardRequest) -> ReplyFuture {
        let then = self.next.borrow_mut().pop_front().expect("the job is not to be sent again");
        let received = Rc::clone(&self.received);
        let (provider, model) = ("openai".to_owned(), Arc::new(Model::unknown("m")));
        let attempt = request.log.begin_attempt(AttemptTarget { model, provider: provider.clone(), key: None });
        let index = received.borrow().len();
        received.borrow_mut().push(0);
        Box::pin(async move {
            let mut chunks = pin!(request.job.audio.chunks());
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|_| UpstreamError::RecordingLost)?;
                received.borrow_mut()[index] += chunk.len();
                match then {
                    Then::BreaksAfter(bytes) if received.borrow()[index] >= bytes => {
                        attempt.fail(AttemptFailure::Provider);
                        return Err(UpstreamError::Broken);
                    }
                    Then::FailsAfter(bytes) if received.borrow()[index] >= bytes => {
                        attempt.fail(AttemptFailure::Provider);
                        return Err(UpstreamError::Unreachable);
                    }
                    _ => {}
                }
            }
            attempt.upload().set();
            let body = Bytes::from_static(b"{\"text\":\"\"}");
            let answer = Answer::Whole { content_type: None, body };
            Ok(Reply { provider, request_id: None, headers: reqwest::header::HeaderMap::new(), answer })
        })
    }
}

/// Polls `request`, which does not end, until everything that can happen has happened.
pub(super) async fn settles(mut request: Pin<&mut impl Future>) {
    for _ in 0..1000 {
        assert!(request.as_mut().now_or_never().is_none(), "it has ended");
        tokio::task::yield_now().await;
    }
}
