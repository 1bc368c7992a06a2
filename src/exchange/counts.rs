//! The metrics of a finished request.

use std::time::Duration;

use super::facts::Facts;
use crate::models::AttemptTarget;
use crate::telemetry::metrics::{
    AUDIO_BYTES, AUDIO_SECONDS, CUTTING_SECONDS, DAMAGED_PACKETS, FIRST_EVENT_SECONDS, GATEWAY_SECONDS, Label,
    OUTCOMES, PIECE_SECONDS, PIECES, PROVIDER_SECONDS, REFUSALS, REQUEST_SECONDS, REQUESTS, SILENCE_SECONDS,
};

impl Facts {
    /// Counts a finished request. `whole` is its duration; `provider` is the time spent on providers, with the last
    /// target.
    pub(super) fn count(&self, whole: Duration, provider: Option<(Duration, &AttemptTarget)>) {
        let route = Label::fixed(self.route);
        let model = self.counted_as.unwrap_or(Label::NO_MODEL);
        OUTCOMES.add([route, Label::fixed(self.outcome.as_str())], 1);
        if let Some(code) = self.error {
            REFUSALS.add([Label::fixed(code)], 1);
        }
        REQUEST_SECONDS.record([route, Label::fixed(if self.stream { "true" } else { "false" })], whole);
        let own = whole.saturating_sub(provider.map_or(Duration::ZERO, |(span, _)| span));
        GATEWAY_SECONDS.record([route], own);
        if let Some((span, target)) = provider {
            PROVIDER_SECONDS.record([Label::configured(&target.provider)], span);
            AUDIO_SECONDS.add([model], self.audio_ms.unwrap_or_default());
            AUDIO_BYTES.add([model], self.bytes.unwrap_or_default());
        }
        if let Some(cut) = self.cut {
            PIECES.add([model], u64::from(cut.pieces));
            PIECE_SECONDS.add([model], cut.sent.audio_ms().get());
            SILENCE_SECONDS.add([model], cut.skipped.audio_ms().get());
            CUTTING_SECONDS.add([], u64::try_from(cut.processor_time.as_millis()).unwrap_or(u64::MAX));
            DAMAGED_PACKETS.add([], cut.decoding.damaged);
        }
        if let Some((started, first)) = self.started.zip(self.first_event) {
            FIRST_EVENT_SECONDS.record([model], first.saturating_duration_since(started));
        }
        // Last, so that a page that counts the request counts everything else of it.
        REQUESTS.add([route, model, Label::status(self.status)], 1);
    }
}
