//! The words on standard output, in the format that was asked for.

use std::time::Duration;

use super::super::arguments::OutputFormat;
use super::super::display::Display;
use super::super::live_arguments::LiveArgumentError;
use super::super::standard_output::StandardOutput;
use super::error::LiveError;
use super::event::{EventKind, LiveEvent};
use super::json_lines::JsonLines;
use super::running_text::RunningText;
use crate::domain::AudioMs;
use crate::split::join::{SegmentCues, Subtitles};

/// The words on standard output.
pub(super) struct Output {
    out: StandardOutput,
    form: OutputForm,
}

/// The form in which words are written. It writes only what will not change.
pub(super) enum OutputForm {
    /// The text, as it grows.
    Text(RunningText),
    /// Each event on a line.
    Json(JsonLines),
    /// Subtitles, a segment at a time.
    Subtitles(Box<SegmentCues>),
}

impl OutputForm {
    /// Chooses the form of a format.
    pub(super) fn of(format: OutputFormat) -> Result<Self, LiveArgumentError> {
        let subtitles = |kind| Self::Subtitles(Box::new(SegmentCues::new(kind)));
        match format {
            OutputFormat::Text => Ok(Self::Text(RunningText::default())),
            OutputFormat::Json => Ok(Self::Json(JsonLines::default())),
            OutputFormat::Srt => Ok(subtitles(Subtitles::Srt)),
            OutputFormat::Vtt => Ok(subtitles(Subtitles::Vtt)),
            OutputFormat::VerboseJson => Err(LiveArgumentError::Format(format.of_api().as_str())),
        }
    }

    fn begin_session(&mut self) {
        match self {
            Self::Text(text) => text.begin_session(),
            Self::Json(lines) => lines.begin_session(),
            Self::Subtitles(_) => {}
        }
    }

    /// Returns what an event adds to the output. The session begins at `begin` of the whole sound.
    fn add(&mut self, event: &LiveEvent, begin: Duration) -> String {
        match (self, &event.kind) {
            (Self::Text(text), EventKind::Delta(delta)) => text.add(delta),
            (Self::Json(lines), _) => lines.add(event, begin),
            (Self::Subtitles(cues), EventKind::Segment { text, span }) => {
                let ms = |time: Duration| {
                    AudioMs::new(u64::try_from(begin.saturating_add(time).as_millis()).unwrap_or(u64::MAX))
                };
                cues.add(text, ms(span.start), ms(span.end))
            }
            _ => String::new(),
        }
    }

    /// Returns what ends the output. `is_whole`: true if the transcript has come to its end.
    fn finish(&mut self, is_whole: bool) -> String {
        match self {
            Self::Text(text) => text.finish(),
            Self::Json(lines) => lines.finish(is_whole),
            Self::Subtitles(cues) => cues.finish().to_owned(),
        }
    }
}

impl Output {
    /// Starts the output.
    pub(super) fn start(form: OutputForm, display: Display) -> Result<Self, LiveError> {
        Ok(Self { out: StandardOutput::start(display).map_err(LiveError::Output)?, form })
    }

    /// Begins another session, whose text follows that of the session before.
    pub(super) fn begin_session(&mut self) {
        self.form.begin_session();
    }

    /// Writes what an event adds. Returns once it is written.
    pub(super) async fn write(&mut self, event: &LiveEvent, begin: Duration) -> Result<(), LiveError> {
        let added = self.form.add(event, begin);
        self.put(added).await
    }

    /// Writes the end of the output.
    pub(super) async fn finish(&mut self, is_whole: bool) -> Result<(), LiveError> {
        let rest = self.form.finish(is_whole);
        self.put(rest).await
    }

    async fn put(&self, text: String) -> Result<(), LiveError> {
        if text.is_empty() {
            return Ok(());
        }
        let pending = self.out.queue(text.into_bytes()).await.map_err(LiveError::Output)?;
        pending.written().await.map_err(LiveError::Output)
    }
}
