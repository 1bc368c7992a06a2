//! The sessions that a run takes, one after another.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::error::LiveError;
use super::link::Link;
use super::output::Output;
use super::report::Report;
use super::session::{Session, SessionEnd};
use super::sound::Sound;
use super::sound_format::SoundFormat;

/// The codes of errors that end a session and not the next one.
const OF_ONE_SESSION: [&str; 6] =
    ["internal_error", "store_unavailable", "live_log_full", "live_session_ended", "live_too_far_ahead", "overloaded"];
/// The number of sessions in a row that may be lost soon, and the time after which it is not soon.
const MAX_LOSSES: u32 = 5;
const SOON: Duration = Duration::from_mins(1);
/// The wait before another session is opened, for each that was lost soon.
const WAIT_AFTER_LOSS: Duration = Duration::from_millis(500);
/// The part of a session's idle time after which an empty piece keeps the session of a recording open.
const KEEP_ALIVE_PART: u32 = 3;
const USUAL_IDLE_TIME: Duration = Duration::from_mins(1);

/// The sessions of a run.
pub(super) struct Conversation<'a> {
    link: Link<'a>,
    sound: &'a Sound,
    report: &'a Report,
    members: Map<String, Value>,
    /// The id of the last session.
    id: RefCell<Option<String>>,
}

/// A session as the gateway describes it.
struct Opened {
    id: String,
    keep_alive: Option<Duration>,
}

impl<'a> Conversation<'a> {
    /// Creates a conversation with the options of each session.
    pub(super) fn new(link: Link<'a>, sound: &'a Sound, report: &'a Report, options: Map<String, Value>) -> Self {
        let mut members = options;
        members.extend(sound.format().members());
        Self { link, sound, report, members, id: RefCell::new(None) }
    }

    /// Returns true if the gateway has opened a session.
    pub(super) fn has_begun(&self) -> bool {
        self.id.borrow().is_some()
    }

    /// Transcribes the sound to its end.
    pub(super) async fn run(&self, output: &mut Output) -> Result<(), LiveError> {
        let mut losses = 0;
        loop {
            let Opened { id, keep_alive } = self.open().await?;
            let begun = Instant::now();
            output.begin_session();
            let session = Session { link: &self.link, sound: self.sound, report: self.report, id: &id, keep_alive };
            match session.run(output).await? {
                SessionEnd::Done => {
                    losses = 0;
                    if self.is_in_the_middle().await {
                        return Err(LiveError::Lost("the gateway has ended the session".to_owned()));
                    }
                }
                SessionEnd::Failed(refusal) if !OF_ONE_SESSION.contains(&refusal.code.as_deref().unwrap_or("")) => {
                    return Err(LiveError::Refused(Box::new(refusal)));
                }
                SessionEnd::Failed(refusal) => self.lost(&mut losses, begun, refusal.to_string()).await?,
                SessionEnd::Lost(why) => {
                    self.link.delete(&id).await;
                    self.lost(&mut losses, begun, why).await?;
                }
            }
            if !self.sound.begin_again().await {
                return Ok(());
            }
        }
    }

    /// Gives up the session that is open.
    pub(super) async fn give_up(&self) {
        let id = self.id.borrow().clone();
        if let Some(id) = id {
            self.link.delete(&id).await;
        }
    }

    async fn open(&self) -> Result<Opened, LiveError> {
        let answer = self.link.open(&self.members, self.has_begun()).await?;
        match answer.status {
            StatusCode::CREATED => {}
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                return Err(LiveError::NotLive(Box::new(answer.refusal())));
            }
            _ => return Err(LiveError::Refused(Box::new(answer.refusal()))),
        }
        let session = answer.json();
        // The id becomes a part of a path.
        let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let Some(id) = session.get("id").and_then(Value::as_str).filter(is_id) else {
            return Err(LiveError::NotLive(Box::new(answer.refusal())));
        };
        let model = session.get("model").and_then(Value::as_str).unwrap_or_default();
        if self.link.is_of_sandbox(model) {
            self.link.delete(id).await;
            return Err(LiveError::Sandbox);
        }
        let idle_time = session.get("idle_timeout").and_then(Value::as_u64).map(Duration::from_secs);
        let keep_alive = match self.sound.format() {
            SoundFormat::Container => Some(idle_time.unwrap_or(USUAL_IDLE_TIME) / KEEP_ALIVE_PART),
            // Another session goes on with the next sound.
            SoundFormat::Pcm { .. } => None,
        };
        self.id.replace(Some(id.to_owned()));
        self.report.display.note(&format!("live session {id} is open"));
        Ok(Opened { id: id.to_owned(), keep_alive: keep_alive.map(|time| time.max(Duration::from_secs(1))) })
    }

    /// Takes the loss of a session, unless that happens too often or nothing can go on behind it.
    async fn lost(&self, losses: &mut u32, begun: Instant, why: String) -> Result<(), LiveError> {
        if self.sound.format() == SoundFormat::Container && self.sound.is_begun() {
            return Err(LiveError::Lost(why));
        }
        *losses = if begun.elapsed() < SOON { losses.saturating_add(1) } else { 1 };
        if *losses > MAX_LOSSES {
            return Err(LiveError::LostAgain(why));
        }
        self.report.display.note(&format!("another session goes on with what was not heard: {why}"));
        sleep(WAIT_AFTER_LOSS * *losses).await;
        Ok(())
    }

    /// Returns true if the gateway has ended a session in the middle of a recording.
    async fn is_in_the_middle(&self) -> bool {
        self.sound.format() == SoundFormat::Container && self.sound.is_begun() && self.sound.begin_again().await
    }
}
