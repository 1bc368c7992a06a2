//! The charge of admission for a job in pieces, and its changes.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::admission::{Admission, JobToAdmit, Limiter, Permit, PlannedPieces, Refusal};
use crate::config::Settings;
use crate::domain::terms::Task;
use crate::domain::{AudioMs, Length, Month, NanoUsd, UnixMs};
use crate::fair_share::ShareKey;
use crate::identity::{Caller, Caps, Scopes};
use crate::intake::media::{Container, MediaInfo};

use crate::intake::{Job, Options, SpoolQuota, SpoolWriter};
use crate::ledger::{Charge, Report, Usage};
use crate::limits::clock::Clock;
use crate::settlement::SettlementQueue;
use crate::store::tests::bench::START;

/// An admission with two priced models, of which `m` falls back to the dearer `dear`, and one caller.
pub(super) struct Bench {
    pub(super) admission: Admission,
    pub(super) limiter: Arc<Limiter>,
    pub(super) clock: Clock,
    pub(super) caller: Caller,
    settings: Settings,
    queue: SettlementQueue,
    _folder: TempDir,
}

impl Bench {
    pub(super) fn new(plan: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        write!(
            file,
            "default_model = \"m\"\n[store]\ndata_dir = \"{}\"\n[providers.openai]\napi_key = \"sk-test\"\n\
             [models.m]\nusd_per_minute = \"0.0045\"\nfallbacks = [\"dear\"]\n\
             [models.dear]\nusd_per_minute = \"0.006\"\nusd_per_million_input_tokens = \"2.50\"\n\
             usd_per_million_output_tokens = \"10.00\"\n\
             [identity]\njwt_secret = \"0123456789abcdef0123456789abcdef0123\"\n[plans.default]\n{plan}\n",
            folder.path().join("data").display()
        )
        .unwrap();
        let settings = Settings::load(Some(file.path())).unwrap();
        let clock = Clock::manual(UnixMs::new(START));
        let (limiter, queue) = Limiter::open(&settings.fixed.store, &clock).unwrap();
        let limiter = Arc::new(limiter);
        let caller = Caller {
            subject: "alice".parse().unwrap(),
            scopes: Scopes::default(),
            plan: "default".to_owned(),
            token_id: None,
            expires_at: u64::MAX / 2000,
            issued_at: None,
            caps: Caps::default(),
            maker: None,
        };
        let admission = Admission::new(&settings, Arc::clone(&limiter));
        Self { admission, limiter, clock, caller, settings, queue, _folder: folder }
    }

    /// A job of this length with a prompt of ten bytes and five seconds of speaker samples.
    pub(super) async fn job(&self, seconds: u64) -> Job {
        let quota = SpoolQuota::new(&self.settings.fixed.spool, self.settings.intake.max_audio_bytes);
        let mut writer = SpoolWriter::new(&quota, ShareKey::unique(), None).unwrap();
        writer.append(b"a recording").await.unwrap();
        let length = Length::Measured(AudioMs::new(seconds * 1000));
        let media = MediaInfo { container: Container::Wav, is_fragmented: false, codec: None, length, bytes: 11 };
        let options = Options { prompt: Some("ten bytes.".to_owned()), ..Options::default() };
        let references = Length::Measured(AudioMs::new(5000));
        Job { task: Task::Transcribe, options, audio: writer.finish().release(), media, references }
    }

    pub(super) async fn admit(&self, job: &Job, pieces: Option<PlannedPieces>) -> Result<Permit, Refusal> {
        let targets = self.admission.targets(&self.caller, job)?;
        let (provider, request_id) = ("openai", "a-request");
        let to_admit = JobToAdmit { caller: &self.caller, job, targets: &targets, provider, request_id, pieces };
        self.admission.admit(to_admit).await
    }

    async fn revise(&self, permit: &Permit, job: &Job, pieces: Option<PlannedPieces>) -> Result<(), Refusal> {
        let targets = self.admission.targets(&self.caller, job)?;
        let (provider, request_id) = ("openai", "a-request");
        let to_admit = JobToAdmit { caller: &self.caller, job, targets: &targets, provider, request_id, pieces };
        self.admission.revise(&permit.charge(), to_admit).await
    }

    pub(super) async fn spent(&self) -> Charge {
        let month = Month::of(self.clock.now());
        self.limiter.statement(&self.caller.subject, month).await.unwrap().total.charge()
    }

    /// Waits until every permit is settled.
    pub(super) async fn settled(self) -> Charge {
        let Self { admission, limiter, clock, caller, queue, .. } = self;
        queue.close().await;
        drop(admission);
        limiter.statement(&caller.subject, Month::of(clock.now())).await.unwrap().total.charge()
    }
}

fn pieces(count: u32) -> PlannedPieces {
    PlannedPieces { count: NonZeroU32::new(count).unwrap(), time: Duration::from_mins(70) }
}

/// The charge of so many seconds, and of ten bytes of prompt so many times, by the dearer model.
fn estimate(seconds: u64, prompts: u64) -> Charge {
    Charge { usd: NanoUsd::new(seconds * 100_000 + prompts * 25_000), audio: AudioMs::new(seconds * 1000) }
}

#[tokio::test]
async fn each_planned_piece_is_charged_a_second_the_prompt_and_the_samples() {
    let bench = Bench::new("");
    let job = bench.job(3600).await;
    let mut permits = Vec::new();
    for (planned, expected) in [
        (None, estimate(3605, 1)),
        (Some(pieces(1)), estimate(3605, 1)),
        (Some(pieces(12)), estimate(3600 + 12 * 5 + 12, 12)),
    ] {
        let before = bench.spent().await;
        let permit = bench.admit(&job, planned).await.unwrap();
        assert_eq!(bench.spent().await.minus(before), expected, "{planned:?}");
        let targets = bench.admission.targets(&bench.caller, &job).unwrap();
        let covers = |pieces| bench.admission.covers(&permit, &targets, &job, pieces);
        assert!(covers(planned) && !covers(Some(pieces(13))));
        permits.push(permit);
    }
}

#[tokio::test]
async fn the_lease_of_a_job_in_pieces_is_the_time_of_the_pieces_and_a_minute() {
    for (planned, lease) in [(None, Duration::from_mins(11)), (Some(pieces(12)), Duration::from_mins(71))] {
        let bench = Bench::new("max_concurrent = 1");
        let job = bench.job(60).await;
        let _permit = bench.admit(&job, planned).await.unwrap();
        bench.clock.advance(lease.saturating_sub(Duration::from_millis(1)));
        assert!(matches!(bench.admit(&job, planned).await, Err(Refusal::Limit(_))));
        bench.clock.advance(Duration::from_millis(1));
        drop(bench.admit(&job, planned).await.unwrap());
    }
}

#[tokio::test]
async fn a_recording_as_long_as_the_burst_fits_in_pieces_too() {
    let bench = Bench::new("audio_seconds_per_minute = 60\naudio_burst_seconds = 60");
    let job = Job { references: Length::Measured(AudioMs::default()), ..bench.job(60).await };
    drop(bench.admit(&job, Some(pieces(4))).await.unwrap());
    let longer = Job { references: Length::Measured(AudioMs::default()), ..bench.job(61).await };
    assert!(matches!(bench.admit(&longer, Some(pieces(4))).await, Err(Refusal::LongerThanBurst { .. })));
}

#[tokio::test]
async fn a_tenth_of_the_budget_must_cover_the_pieces() {
    let bench = Bench::new("monthly_audio_minutes = 10");
    let job = Job { references: Length::Measured(AudioMs::default()), ..bench.job(50).await };
    let has_headroom = |pieces| bench.admission.has_budget_headroom(&bench.caller, &job, pieces);
    assert!(has_headroom(Some(pieces(10))) && !has_headroom(Some(pieces(11))));
}

#[tokio::test]
async fn a_change_charges_the_job_as_it_is_known_now_and_the_settlement_corrects_it() {
    let bench = Bench::new("monthly_usd = \"1.00\"\nmax_concurrent = 1");
    let (claimed, whole) = (bench.job(60).await, bench.job(600).await);
    let mut permit = bench.admit(&claimed, Some(pieces(2))).await.unwrap();
    assert_eq!(bench.spent().await, estimate(60 + 10 + 2, 2));
    bench.clock.advance(Duration::from_mins(70));
    bench.revise(&permit, &whole, Some(pieces(4))).await.unwrap();
    assert_eq!(bench.spent().await, estimate(600 + 20 + 4, 4));
    // The lease begins anew.
    bench.clock.advance(Duration::from_mins(70));
    assert!(matches!(bench.admit(&claimed, None).await, Err(Refusal::Limit(_))));
    // A dollar is 10000 s.
    let too_long = bench.job(14_000).await;
    assert!(matches!(bench.revise(&permit, &too_long, Some(pieces(4))).await, Err(Refusal::Limit(_))));
    assert_eq!(bench.spent().await, estimate(600 + 20 + 4, 4), "a refused change changes nothing");
    let log = permit.attempts().begin_piece(AudioMs::new(300_000), 10);
    let targets = bench.admission.targets(&bench.caller, &whole).unwrap();
    let target = crate::models::AttemptTarget {
        model: Arc::clone(&targets.requested),
        provider: "openai".to_owned(),
        key: None,
    };
    log.begin_attempt(target).upload().set();
    log.piece_transcribed(Report { usage: Some(Usage::Length(AudioMs::new(301_000))), duration: None });
    permit.failed();
    drop(permit);
    let settled = bench.settled().await;
    assert_eq!(settled, Charge { usd: NanoUsd::new(301 * 75_000), audio: AudioMs::new(301_000) });
}
