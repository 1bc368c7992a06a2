//! An admitted job and everything that is noted about it.

use crate::admission::Permit;
use crate::config::Model;
use crate::domain::Length;
use crate::ledger::{Charge, Report};
use crate::models::{AttemptLog, Attempts};
use crate::split::{Transcript, TranscriptError};
use crate::upstream::{UpstreamError, count_stream_failure};

use super::facts::Outcome;
use super::record::Record;

/// An admitted job on its way to providers and back: the permit that pays for it, the record of its request, and the
/// attempts at providers. Each fact is reported here once.
///
/// Dropping an exchange settles its permit by what has been reported until then; see [`Permit`]. An exchange may forward
/// its job once, or in pieces side by side.
pub struct Exchange {
    // The permit is settled first: its cost is part of the request's trace.
    permit: Permit,
    record: Record,
    attempts: Attempts,
    /// True once a forwarding has begun that is not withdrawn.
    is_forwarding: bool,
    is_broken: bool,
}

impl Exchange {
    /// Creates the exchange of an admitted job.
    pub fn new(mut permit: Permit, record: Record) -> Self {
        permit.set_trace(record.trace());
        let attempts = permit.attempts();
        Self { permit, record, attempts, is_forwarding: false, is_broken: false }
    }

    /// Returns the log for the attempts of another forwarding. `model` is the model entry that the client asked for.
    pub fn begin_forwarding(&mut self, model: &Model) -> AttemptLog {
        self.forwarding(model);
        self.attempts.begin_forwarding()
    }

    /// Records that the recording goes on in pieces, perhaps after it failed as a whole, and returns the attempts, in
    /// which each piece begins a log of its own. From now on the request costs what its pieces cost, and the usage of
    /// the joined answer is for the record alone.
    pub fn begin_pieces(&mut self, model: &Model) -> Attempts {
        self.forwarding(model);
        self.attempts.divide();
        self.attempts.clone()
    }

    fn forwarding(&mut self, model: &Model) {
        self.record.model(model);
        if !std::mem::replace(&mut self.is_forwarding, true) {
            self.record.forwarding(self.attempts.clone());
        }
    }

    /// Returns the attempts of this exchange, in which a recording goes on in pieces after its provider refused it as it
    /// is.
    pub fn attempts(&self) -> Attempts {
        self.attempts.clone()
    }

    /// Returns the cost of the pieces that are over: of which no log is left. The exchange keeps their sum and forgets them,
    /// so that any number of pieces may follow.
    pub fn cost_of_finished_pieces(&mut self) -> Charge {
        self.permit.fold_finished_pieces()
    }

    /// Records that every forwarding was cancelled before its upload was complete, so that no provider has done any work.
    pub fn withdraw(&mut self) {
        self.is_forwarding = false;
        self.attempts.withdraw();
    }

    /// Returns the record of the request.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the permit, to compare it with another job.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Gives the permit up, so that another one can take its place.
    pub fn into_permit(self) -> Permit {
        self.permit
    }

    /// Records that the recording, admitted by its claimed length, is no longer than `length`. `text` is the number of
    /// bytes of text that a provider may bill.
    pub fn measured(&mut self, length: Length, text: u64) {
        self.permit.set_measured_audio(length, text);
    }

    /// Records the provider's answer: its request id, and the details of a refusal.
    pub fn provider_answered(&mut self, answer: &Result<Transcript, TranscriptError>) {
        let refused = answer.as_ref().err().and_then(TranscriptError::refused);
        let id = match answer {
            Ok(transcript) => transcript.request_id.as_deref(),
            Err(_) => refused.and_then(|refused| refused.request_id.as_deref()),
        };
        self.record.provider_request_id(id);
        if let Some(refused) = refused {
            self.record.provider_refused(refused.status.as_u16(), refused.kind.as_deref(), refused.code.as_deref());
        }
    }

    /// Records that the client gets its answer from now on.
    pub fn relaying(&self) {
        self.record.relaying();
    }

    /// Records that part of the transcript was sent to the client.
    pub fn delivered(&mut self) {
        self.permit.mark_delivered();
        self.record.first_event();
    }

    /// Records the usage that the provider reports, in its answer or in an event. The usage of a request in pieces is the
    /// sum of theirs, which is for the record: each piece is charged by its own report.
    pub fn usage(&mut self, report: Report) {
        self.record.usage(report.usage);
        self.permit.record_usage(report);
    }

    /// Records that the provider has sent the whole transcript.
    pub fn completed(&mut self) {
        self.permit.answered();
    }

    /// Records that the request failed, so that its client gets an error.
    pub fn failed(&mut self) {
        self.is_broken = true;
        self.permit.failed();
    }

    /// Records that the provider broke its stream off in a way that only the reader of the stream can tell: with an error
    /// event, with an event over the size limit, or by a clean end before the last event.
    pub fn broken_off(&mut self, error: &UpstreamError) {
        if let Some(target) = self.attempts.last_target() {
            count_stream_failure(&target.provider, error);
        }
        self.failed();
    }

    /// Ends the exchange with a whole answer, and settles its permit.
    pub fn finish_whole(mut self, report: Report) {
        self.record.provider_finished();
        self.usage(report);
        self.completed();
    }

    /// Ends the exchange with the end of a stream, and settles its permit.
    pub fn finish_stream(self) {
        self.record.provider_finished();
        self.record.outcome(if self.is_broken { Outcome::StreamBroken } else { Outcome::Answered });
    }
}
