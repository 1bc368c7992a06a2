//! The answer to a request whose recording is still arriving, followed as it comes.

use std::collections::VecDeque;
use std::future::ready;
use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use secrecy::SecretString;

use crate::relay::TranscriptFuture;
use crate::split::{Transcript, TranscriptBody, TranscriptError, TranscriptEvents};

/// An answer that is made while the recording arrives, and kept until the client can read it: a client reads the answer
/// when it has sent its request. The events that wait are bounded as the answers of all pieces together are.
pub(super) struct EarlyAnswer {
    /// The events that came before the recording was whole.
    events: VecDeque<Result<Bytes, TranscriptError>>,
    state: State,
}

enum State {
    /// Nothing has come.
    Awaited(TranscriptFuture),
    /// A stream has begun.
    Events {
        transcript: Transcript,
        bytes: TranscriptEvents,
        key: Option<SecretString>,
        max_event_bytes: Option<usize>,
    },
    /// The answer is there.
    Answered(Result<Transcript, TranscriptError>),
}

impl EarlyAnswer {
    pub(super) fn new(answer: TranscriptFuture) -> Self {
        Self { events: VecDeque::new(), state: State::Awaited(answer) }
    }

    /// Goes on with the answer. Ready when it turns out that there will be no whole transcript.
    pub(super) fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.state {
                State::Awaited(answer) => {
                    let Poll::Ready(answer) = answer.as_mut().poll(cx) else { return Poll::Pending };
                    self.state = State::of(answer);
                }
                State::Events { bytes, .. } => match bytes.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(event))) => self.events.push_back(Ok(event)),
                    Poll::Ready(Some(Err(error))) => {
                        self.events.push_back(Err(error));
                        return Poll::Ready(());
                    }
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                },
                State::Answered(Err(_)) => return Poll::Ready(()),
                State::Answered(Ok(_)) => return Poll::Pending,
            }
        }
    }

    /// Returns the answer, with all of its events.
    pub(super) fn into_transcript(self) -> TranscriptFuture {
        let Self { events, state } = self;
        match state {
            State::Awaited(answer) => answer,
            State::Answered(answer) => Box::pin(ready(answer)),
            State::Events { mut transcript, bytes, key, max_event_bytes } => {
                let has_failed = matches!(events.back(), Some(Err(_)));
                let rest = if has_failed { stream::empty().boxed_local() } else { bytes };
                let bytes = stream::iter(events).chain(rest).boxed_local();
                transcript.body = TranscriptBody::Events { bytes, key, max_event_bytes };
                Box::pin(ready(Ok(transcript)))
            }
        }
    }
}

impl State {
    fn of(answer: Result<Transcript, TranscriptError>) -> Self {
        let mut transcript = match answer {
            Ok(transcript) => transcript,
            Err(error) => return Self::Answered(Err(error)),
        };
        let nothing = TranscriptBody::Whole { content_type: None, body: Bytes::new() };
        match mem::replace(&mut transcript.body, nothing) {
            TranscriptBody::Events { bytes, key, max_event_bytes } => {
                Self::Events { transcript, bytes, key, max_event_bytes }
            }
            body @ TranscriptBody::Whole { .. } => Self::Answered(Ok(Transcript { body, ..transcript })),
        }
    }
}
