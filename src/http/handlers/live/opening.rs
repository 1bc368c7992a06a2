//! The opening of a live session: the model, the permit for the first slice, and the task.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::admission::{Admission, LiveToAdmit, Refusal};
use crate::domain::terms::{Format, LiveMode, Task, Timestamps};
use crate::domain::{AudioMs, Length, UnixMs};
use crate::exchange::Exchange;
use crate::http::context::RequestContext;
use crate::http::error::ApiError;
use crate::identity::Caller;
use crate::intake::media::{Container, MediaInfo};
use crate::intake::{IntakeError, Job, SpoolRoom, SpoolWriter};
use crate::live::{self, LiveSession, LiveWork, SessionFacts, TurnSender, lease_of};
use crate::models::{TargetChain, Way};
use crate::speech::{CutRules, Encoding, LiveSound, Samples};
use crate::split::join::Times;
use crate::telemetry::traces::Step;
use crate::upstream::{PieceGroup, Upstream};

use super::wanted::WantedSession;

/// The size of a second of a turn in the largest encoding, in bytes.
const BYTES_PER_SECOND: u64 = 32_320;
/// The longest audio of a piece: a mebibyte of Opus at 6 kbit/s, and more.
const LONGEST_PIECE: AudioMs = AudioMs::new(30 * 60 * 1000);
/// The time by which the caps of a session's token are remembered beyond the end of the session, in milliseconds.
const CAPS_MARGIN: u64 = 15 * 60 * 1000;

/// The opening of a session.
pub(super) struct Opening<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) caller: &'a Caller,
    pub(super) upstream: Rc<Upstream>,
}

/// The way in which turns go to the session's model.
struct TurnForm {
    /// The job of each turn but for its sound.
    job: Job,
    targets: TargetChain,
    times: Times,
    encoding: Encoding,
}

impl Opening<'_> {
    /// Opens the session, and starts its task on this worker.
    pub(super) async fn open(self, wanted: WantedSession) -> Result<Arc<LiveSession>, ApiError> {
        let Self { context, caller, .. } = self;
        let (state, record) = (context.state(), context.record());
        let (settings, shared, key) = (state.settings.live, &state.shared, caller.share_key());
        if shared.is_stopping() {
            return Err(ApiError::overloaded("The gateway is stopping. Please try again."));
        }
        let slot =
            shared.live.take_slot(settings.max_sessions).map_err(|full| ApiError::overloaded(full.to_string()))?;
        let form = self.turn_form(&wanted)?;
        let quota = &shared.intake.quota;
        let room = SpoolRoom::growing(quota, key, 0).map_err(IntakeError::NoRoom)?;
        let max_audio = state.admission.max_recording(caller)?.min(ms_of(settings.max_time));
        // More than its rate allows at a time is never admitted.
        let burst = state.admission.plan(caller)?.audio.map_or(AudioMs::new(u64::MAX), |rate| rate.burst);
        let (now, slice) = (UnixMs::now(), settings.slice.min(burst));
        let facts = SessionFacts {
            model: form.targets.requested.name.clone(),
            created_at: now,
            expires_at: now.plus(settings.max_time),
            format: wanted.format,
            idle_timeout: settings.idle_timeout,
        };
        let until = UnixMs::new(facts.expires_at.get().saturating_add(CAPS_MARGIN));
        let (session, commands) =
            LiveSession::new(caller.subject.clone(), facts, quota, key).map_err(IntakeError::NoRoom)?;
        let held = Admission::live_estimate(&form.targets, slice, 1, form.job.options.text_bytes());
        record.model(&form.targets.requested);
        let request_id = record.request_id();
        let to_admit = LiveToAdmit {
            caller,
            targets: &form.targets,
            provider: state.provider_name(&form.targets.requested),
            request_id: &request_id,
            charge: held,
            rated: slice,
            lease: lease_of(slice),
            until,
        };
        let permit = context.trace().during(Step::Admit, state.admission.admit_live(to_admit)).await?;
        context.report_rates_of(caller);
        let mut exchange = Exchange::new(permit, record.clone());
        let attempts = exchange.begin_pieces(&form.targets.requested);
        let longest = ms_of(settings.longest_turn).min(burst);
        let rules = CutRules::turns(samples(ms_of(settings.turn_pause)), samples(longest));
        // The session ends with the piece that reaches its longest audio.
        let max_sound = max_audio.saturating_add(LONGEST_PIECE);
        let sound = LiveSound::new(&shared.speech, key, room, wanted.format, rules, form.encoding, max_sound);
        let upstream = self.upstream;
        let sender = TurnSender {
            job: form.job,
            targets: form.targets.clone(),
            providers: Arc::clone(&state.providers),
            attempts,
            request_id,
            trace: context.trace(),
            group: PieceGroup::of_many(),
            send: Rc::new(move |request| {
                let upstream = Rc::clone(&upstream);
                Box::pin(async move { upstream.forward(&request).await })
            }),
        };
        let work = LiveWork {
            settings,
            admission: Arc::clone(&state.admission),
            caller: caller.clone(),
            targets: form.targets,
            exchange,
            held,
            slice,
            sound,
            sender,
            times: form.times,
            at_once: usize::try_from(state.settings.speech.pieces_at_once.get()).unwrap_or(usize::MAX),
            max_audio,
            describe: |failure| ApiError::from_live_failure(failure).members(),
        };
        live::start(work, &session, commands, slot);
        Ok(session)
    }

    /// Returns the way in which turns go to the model that the client asks for: as JSON with times if the model gives them,
    /// and as FLAC if it takes that.
    fn turn_form(&self, wanted: &WantedSession) -> Result<TurnForm, ApiError> {
        let Self { context, caller, .. } = self;
        let state = context.state();
        let longest = ms_of(state.settings.live.longest_turn);
        let audio = SpoolWriter::new(&state.shared.intake.quota, caller.share_key(), Some(0));
        let audio = audio.map_err(IntakeError::NoRoom)?.finish().release();
        let job = |format: Format, container: Container| {
            let mut options = wanted.options.clone();
            (options.format, options.stream) = (Some(format), Some(false));
            let bytes = longest.get().saturating_mul(BYTES_PER_SECOND) / 1000;
            let length = Length::Measured(longest);
            let media = MediaInfo { container, is_fragmented: false, codec: None, length, bytes };
            let references = Length::Measured(AudioMs::default());
            Job { task: Task::Transcribe, options, audio: audio.clone(), media, references }
        };
        // A model that is not configured may not have the format with times.
        let has_times = |targets: &TargetChain| {
            targets.models().all(|model| model.configured && model.timestamps == Timestamps::Model)
        };
        let mut refusal = None;
        for format in [Format::VerboseJson, Format::Json] {
            for (container, encoding) in [(Container::Flac, Encoding::Flac), (Container::Wav, Encoding::Wav)] {
                let job = job(format, container);
                let mut targets = match state.admission.targets(caller, &job) {
                    Ok(targets) if targets.way == Way::AsIs => targets,
                    Ok(_) => continue,
                    Err(error @ Refusal::Unfit(_)) => {
                        refusal = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                if targets.requested.live == LiveMode::None {
                    return Err(ApiError::model_not_live(&targets.requested.name));
                }
                targets.fallbacks.retain(|fallback| fallback.model.live != LiveMode::None);
                if format == Format::VerboseJson && !has_times(&targets) {
                    continue;
                }
                let times = if format == Format::VerboseJson { Times::Model } else { Times::Pieces };
                return Ok(TurnForm { job, targets, times, encoding });
            }
        }
        // A model that takes neither FLAC nor WAV, or no turn of this length.
        Err(refusal.map_or_else(
            || ApiError::model_not_live(wanted.options.model.as_deref().unwrap_or(&state.settings.default_model)),
            ApiError::from,
        ))
    }
}

fn ms_of(time: Duration) -> AudioMs {
    AudioMs::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn samples(length: AudioMs) -> Samples {
    Samples::from_ms(length.get())
}
