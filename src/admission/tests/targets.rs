//! The model entries that can do a job, and the longest recording of a caller.

use std::io::Write;
use std::sync::Arc;

use tempfile::TempDir;

use crate::admission::limiter::Limiter;
use crate::admission::{Admission, Refusal};
use crate::config::Settings;
use crate::domain::terms::Task;
use crate::domain::{AudioMs, Length};
use crate::fair_share::ShareKey;
use crate::identity::{Caller, Caps, Scope, Scopes};
use crate::intake::media::{Container, MediaInfo};
use crate::intake::{Job, Options, SpoolQuota, SpoolWriter};
use crate::limits::clock::Clock;
use crate::models::{Reason, TargetChain, Way};
use crate::settlement::SettlementQueue;

/// Admission by these settings.
struct Gateway {
    admission: Admission,
    settings: Settings,
    _queue: SettlementQueue,
    _folder: TempDir,
}

impl Gateway {
    fn new(toml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{toml}\n[store]\ndata_dir = \"{}\"\n", folder.path().join("data").display()).unwrap();
        let settings = Settings::load(Some(file.path())).unwrap();
        let (limiter, queue) = Limiter::open(&settings.fixed.store, &Clock::system()).unwrap();
        let admission = Admission::new(&settings, Arc::new(limiter));
        Self { admission, settings, _queue: queue, _folder: folder }
    }

    /// Returns a job for an MP3 file of this length.
    fn job(&self, length: Length, fields: &[(&str, &str)]) -> Job {
        let quota = SpoolQuota::new(&self.settings.fixed.spool, self.settings.intake.max_audio_bytes);
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Job {
            task: Task::Transcribe,
            options: Options::parse(fields).unwrap(),
            audio: SpoolWriter::new(&quota, ShareKey::unique(), None).unwrap().finish().release(),
            media: MediaInfo { container: Container::Mp3, is_fragmented: false, codec: None, length, bytes: 1_000_000 },
            references: Length::Measured(AudioMs::default()),
        }
    }

    fn targets(&self, length: Length, fields: &[(&str, &str)]) -> Result<TargetChain, Refusal> {
        self.admission.targets(&caller(), &self.job(length, fields))
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

const fn seconds(seconds: u64) -> Length {
    Length::Measured(AudioMs::new(seconds * 1000))
}

fn names(chain: &TargetChain) -> Vec<&str> {
    chain.models().map(|model| model.name.as_str()).collect()
}

const FALLBACKS: &str = r#"
    [models.gpt-transcribe]
    fallbacks = ["whisper-1", "short", "gpt-4o-transcribe"]
    [models.short]
    max_seconds = 100
    timestamps = "pieces"
    formats = ["json"]
    options = ["timestamp_granularities"]
"#;

#[tokio::test]
async fn fallbacks_take_the_recording_by_the_same_way() {
    let gateway = Gateway::new(FALLBACKS);
    let whole = gateway.targets(seconds(60), &[]).unwrap();
    assert_eq!((whole.way, whole.pieces), (Way::AsIs, None));
    assert_eq!(names(&whole), ["gpt-transcribe", "whisper-1", "short", "gpt-4o-transcribe"]);
    let whole = gateway.targets(seconds(1400), &[]).unwrap();
    assert_eq!(names(&whole), ["gpt-transcribe", "whisper-1", "gpt-4o-transcribe"]);
    // The pieces are too long for one of them.
    let split = gateway.targets(seconds(1401), &[]).unwrap();
    assert_eq!(split.way, Way::Split(Reason::TooLong));
    assert_eq!(split.pieces.map(|plan| plan.max), Some(AudioMs::new(330_000)));
    assert_eq!(names(&split), ["gpt-transcribe", "whisper-1", "gpt-4o-transcribe"]);
    assert!(!split.are(&whole) && split.are(&split.clone()));
    let subtitles = gateway.targets(seconds(60), &[("response_format", "vtt")]).unwrap();
    assert_eq!(names(&subtitles), ["gpt-transcribe", "short"], "the others' times are not those of pieces");
}

#[tokio::test]
async fn a_recording_that_a_provider_refused_is_split_if_it_may_be() {
    let refused = |toml: &str| {
        let gateway = Gateway::new(toml);
        let job = gateway.job(seconds(60), &[("model", "whisper-1")]);
        assert_eq!(gateway.admission.targets(&caller(), &job).unwrap().way, Way::AsIs);
        gateway.admission.targets_after_refusal(&caller(), &job, Reason::TooLong).unwrap()
    };
    let chain = refused("").unwrap();
    assert_eq!(
        (chain.way, chain.pieces.map(|plan| plan.target)),
        (Way::Split(Reason::TooLong), Some(AudioMs::new(300_000)))
    );
    assert!(refused("[speech]\nsplit = false").is_none());
}

#[tokio::test]
async fn a_recording_longer_than_its_plan_or_the_gateway_allows_is_refused() {
    let open = Gateway::new("");
    assert!(open.targets(seconds(14_400), &[]).is_ok());
    let refused = open.targets(Length::Measured(AudioMs::new(14_400_001)), &[]).unwrap_err();
    let all = "audio duration 14400.001 seconds is longer than the 14400.000 seconds that this gateway allows.";
    assert_eq!(refused.to_string(), all);
    assert!(open.targets(Length::AtMost(AudioMs::new(14_400_001)), &[]).is_ok(), "a mere bound");
    assert_eq!(open.admission.max_recording(&caller()).unwrap(), AudioMs::new(14_400_000));
    let plan = Gateway::new("[plans.default]\nmax_recording_seconds = 60");
    assert!(plan.targets(seconds(60), &[]).is_ok());
    let refused = plan.targets(seconds(61), &[]).unwrap_err();
    let own = "audio duration 61.000 seconds is longer than the 60.000 seconds that your plan 'default' allows.";
    assert_eq!(refused.to_string(), own);
    let refused = plan.targets(Length::AtMost(AudioMs::new(61_000)), &[]).unwrap_err();
    assert!(matches!(refused, Refusal::LongerThanPlan { .. }), "no file that cannot be measured gets around the plan");
    assert_eq!(plan.admission.max_recording(&caller()).unwrap(), AudioMs::new(60_000));
    let unknown = plan.targets(seconds(61), &[("model", "no-such-model")]).unwrap_err();
    assert!(matches!(unknown, Refusal::ModelNotFound { .. }), "what the caller may use comes first");
}
