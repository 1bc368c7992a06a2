//! The joiner of transcripts.

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;

use super::common::CommonMembers;
use super::cues::{JoinedCues, Subtitles};
use super::error::JoinError;
use super::events::{Added, delta_event};
use super::joined::{Joined, Partial};
use super::json::{Items, ObjectWriter};
use super::members::Members;
use super::place::PiecePlace;
use super::request::{JoinRequest, Times};
use super::seam::JoinedText;
use super::segments::TimedItems;
use super::sentences::timed;
use super::speakers::SpeakerSegments;
use super::times::{PieceClock, nearest_ms, seconds};
use super::usage::UsageSum;
use super::voice::Voice;
use super::wrap;
use crate::domain::AudioMs;
use crate::domain::terms::Format;
use crate::domain::text::without_byte_order_mark;
use crate::ledger::Report;
use crate::speech::{Samples, Span};

/// The joiner of the transcripts of a recording's pieces. It takes them in the order of time.
pub struct Joiner {
    request: JoinRequest,
    text: JoinedText,
    /// The subtitles, in the formats that are some.
    cues: Option<JoinedCues>,
    segments: TimedItems,
    words: TimedItems,
    speakers: Option<Items>,
    logprobs: Option<Items>,
    common: CommonMembers,
    usage: UsageSum,
    /// The first answer, while it is the only one.
    first: Option<FirstAnswer>,
    pieces: u32,
    streamed: Streamed,
}

/// An answer as it came.
struct FirstAnswer {
    body: Bytes,
    span: Span,
}

/// The part of the current piece that a stream has brought.
#[derive(Default)]
struct Streamed {
    text: String,
    logprobs: Option<Items>,
    /// The log probabilities of deltas that are not sent yet: white space, whose place is not known.
    unsent: Option<Items>,
    has_segments: bool,
}

impl Joiner {
    /// Makes a joiner without a piece.
    pub fn new(request: JoinRequest) -> Self {
        let cues = match request.format {
            Format::Srt => Some(JoinedCues::new(Subtitles::Srt)),
            Format::Vtt => Some(JoinedCues::new(Subtitles::Vtt)),
            _ => None,
        };
        Self {
            request,
            text: JoinedText::default(),
            cues,
            segments: TimedItems::default(),
            words: TimedItems::default(),
            speakers: None,
            logprobs: None,
            common: CommonMembers::default(),
            usage: UsageSum::default(),
            first: None,
            pieces: 0,
            streamed: Streamed::default(),
        }
    }

    /// Returns the format to ask the provider for, for each piece.
    pub fn piece_format(&self) -> Format {
        self.request.piece_format()
    }

    /// Returns true if a piece can be given as its stream arrives, by `push_delta`, `push_segment` and `end_streamed`.
    pub fn takes_streams(&self) -> bool {
        self.cues.is_none() && self.request.format == self.piece_format()
    }

    /// Takes the whole answer for the next piece.
    ///
    /// It may follow parts of a stream of the same piece that broke: then it must begin with what came.
    pub fn add(&mut self, place: &PiecePlace<'_>, body: &[u8]) -> Result<Added, JoinError> {
        let bare = without_byte_order_mark(body);
        let added = if self.piece_format().is_json() {
            let answer = Members::parse(bare).ok_or(JoinError::NotJson)?;
            let text = answer.string("text").ok_or(JoinError::NoText)?;
            let unsent = text.strip_prefix(&self.streamed.text).filter(|_| !self.streamed.has_segments);
            let unsent = unsent.ok_or(JoinError::Differs)?;
            self.add_json(place, &answer, unsent, Report::of_json(bare))?
        } else {
            self.add_text(place, &String::from_utf8_lossy(bare))?
        };
        self.first = (self.pieces == 0).then(|| FirstAnswer { body: Bytes::copy_from_slice(body), span: place.span });
        self.end_piece();
        Ok(added)
    }

    /// Takes a delta of the next piece, and returns the data of the event for it; `None` if there is nothing to send yet.
    pub fn push_delta(&mut self, delta: &str, logprobs: Option<&RawValue>) -> Option<String> {
        self.streamed.text.push_str(delta);
        if let Some(tokens) = logprobs.and_then(items) {
            self.streamed.logprobs.get_or_insert_default().extend(&tokens);
            self.streamed.unsent.get_or_insert_default().extend(&tokens);
        }
        let sent = self.text.push(delta);
        if sent.is_empty() {
            return None;
        }
        let logprobs = self.streamed.unsent.take().map(|tokens| tokens.array());
        Some(delta_event(&sent, logprobs.as_deref()))
    }

    /// Takes a `transcript.text.segment` of the next piece, and returns the data of the event for it.
    pub fn push_segment(&mut self, place: &PiecePlace<'_>, data: &[u8]) -> Result<String, JoinError> {
        let raw: &RawValue = serde_json::from_slice(data).map_err(|_| JoinError::NotJson)?;
        let segment = SpeakerSegments::of(*place, &self.request.known_speakers).moved(raw)?;
        self.speakers.get_or_insert_default().push(&segment);
        self.streamed.has_segments = true;
        Ok(segment)
    }

    /// Takes the `transcript.text.done` of the next piece, whose text the client has from the deltas. Text that follows the
    /// deltas is added; where it differs from them, the deltas stand, because they were sent.
    pub fn end_streamed(&mut self, place: &PiecePlace<'_>, done: &[u8]) -> Result<Added, JoinError> {
        let answer = Members::parse(done).ok_or(JoinError::NotJson)?;
        let text = answer.string("text").unwrap_or_default();
        let unsent = text.strip_prefix(&self.streamed.text).unwrap_or_default();
        let added = self.add_json(place, &answer, unsent, Report::of_json(done))?;
        self.first = None;
        self.end_piece();
        Ok(added)
    }

    /// Returns what the pieces so far have given, for an answer that says that the rest is missing.
    pub fn partial(&self) -> Partial {
        let text = self.cues.as_ref().map_or(self.text.as_str(), JoinedCues::as_str).to_owned();
        let segments = self.segments_array().and_then(|array| RawValue::from_string(array).ok());
        Partial { text, segments }
    }

    /// Ends the transcript of a recording of this length.
    pub fn finish(mut self, length: AudioMs) -> Joined {
        let as_it_came = self.first.take().filter(|first| self.is_unchanged(first, length)).map(|first| first.body);
        let usage = self.usage.total();
        let text = std::mem::take(&mut self.text);
        let (text, rest) = self.cues.take().map_or_else(|| text.finish(), JoinedCues::finish);
        let format = self.request.format;
        let answer = as_it_came.unwrap_or_else(|| {
            if format.is_json() { self.json_answer(&text, length).into() } else { text.clone().into() }
        });
        Joined { format, answer, text, rest, usage }
    }

    /// Gives up the piece whose stream broke off. What it brought stays; the next piece may be given.
    pub fn abandon_piece(&mut self) {
        if !self.streamed.text.is_empty() || self.streamed.has_segments {
            self.first = None;
            self.end_piece();
        }
    }

    fn end_piece(&mut self) {
        self.text.end_piece();
        self.streamed = Streamed::default();
        self.pieces = self.pieces.saturating_add(1);
    }

    fn add_text(&mut self, place: &PiecePlace<'_>, text: &str) -> Result<Added, JoinError> {
        let delta = if let Some(cues) = &mut self.cues {
            cues.add(text, &PieceClock::of(place))?
        } else {
            let unsent = text.strip_prefix(&self.streamed.text).ok_or(JoinError::Differs)?;
            self.text.push(unsent)
        };
        self.usage.add(place.span.length(), Report::default(), None);
        Ok(Added { delta, ..Added::default() })
    }

    /// Adds a JSON answer, of whose text `unsent` is not sent yet.
    fn add_json(
        &mut self,
        place: &PiecePlace<'_>,
        answer: &Members<'_>,
        unsent: &str,
        report: Report,
    ) -> Result<Added, JoinError> {
        let is_empty = unsent.trim().is_empty() && self.streamed.text.trim().is_empty();
        let makes_times = self.request.format != self.piece_format();
        if makes_times && unsent.chars().nth(place.max_said()).is_some() {
            return Err(JoinError::TooLong);
        }
        let mut added = Added::default();
        if !is_empty {
            added.segments = self.add_timed(place, answer)?;
            added.logprobs = self.add_logprobs(answer);
            self.common.add(answer, place.span.length());
        }
        self.usage.add(place.span.length(), report, Some(answer));
        added.delta = if makes_times && !is_empty { self.add_sentences(place, unsent) } else { self.text.push(unsent) };
        Ok(added)
    }

    /// Adds segments and words with the model's times, and returns the events of speakers' segments.
    fn add_timed(&mut self, place: &PiecePlace<'_>, answer: &Members<'_>) -> Result<Vec<String>, JoinError> {
        let segments = answer.array("segments").unwrap_or_default();
        match (self.request.format, self.request.times) {
            (Format::DiarizedJson, _) if !self.streamed.has_segments => {
                let moved = SpeakerSegments::of(*place, &self.request.known_speakers).all_moved(&segments)?;
                let speakers = self.speakers.get_or_insert_default();
                for segment in &moved {
                    speakers.push(segment);
                }
                Ok(moved)
            }
            (Format::VerboseJson, Times::Model) => {
                let clock = PieceClock::of(place);
                let moved_segments = self.segments.moved_segments(&clock, answer.array("segments").as_deref())?;
                let moved_words = self.words.moved_words(&clock, answer.array("words").as_deref())?;
                self.segments.append(&moved_segments);
                self.words.append(&moved_words);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Adds the log probabilities: those of the answer, or of the deltas if the answer has none. Returns those of a delta
    /// that brings the whole piece.
    fn add_logprobs(&mut self, answer: &Members<'_>) -> Option<String> {
        let mut of_piece = Items::default();
        match (answer.array("logprobs"), self.streamed.logprobs.take()) {
            (Some(tokens), _) => of_piece.extend(&tokens),
            (None, Some(streamed)) => of_piece = streamed,
            (None, None) => return None,
        }
        self.logprobs.get_or_insert_default().append(&of_piece);
        self.streamed.text.is_empty().then(|| of_piece.array())
    }

    /// Adds the sentences of a text with times that are estimated, and returns the delta.
    fn add_sentences(&mut self, place: &PiecePlace<'_>, text: &str) -> String {
        let voice = Voice::of(place);
        let sentences = timed(text, &voice);
        if let Some(cues) = &mut self.cues {
            return cues.add_made(sentences.iter().flat_map(|sentence| wrap::cues(sentence, &voice)).collect());
        }
        for sentence in sentences {
            let [start, end] = [sentence.span.start, sentence.span.end].map(|at| seconds(nearest_ms(at)));
            self.segments.push_segment(&start, &end, sentence.text);
        }
        self.text.push(text)
    }

    /// Returns true if the only answer is that for the whole recording.
    fn is_unchanged(&self, first: &FirstAnswer, length: AudioMs) -> bool {
        let has_times = !matches!(self.request.format, Format::Json | Format::Text);
        let is_whole = first.span.start == Samples::default() && first.span.end.audio_ms() >= length;
        self.request.format == self.piece_format() && (is_whole || !has_times)
    }

    fn segments_array(&self) -> Option<String> {
        self.speakers.as_ref().map(Items::array).or_else(|| self.segments.array())
    }

    fn json_answer(&self, text: &str, length: AudioMs) -> String {
        let format = self.request.format;
        let is_verbose = format == Format::VerboseJson;
        let mut answer = ObjectWriter::default();
        if format != Format::Json {
            answer.text("task", self.request.task.as_str());
        }
        let stated = self.request.language.as_ref().map(|language| json!(language).to_string());
        let language = if is_verbose { self.common.main_language() } else { self.common.only_language() };
        answer.optional("language", language.or(stated.as_deref().filter(|_| is_verbose)));
        if format != Format::Json {
            answer.raw("duration", &seconds(length));
        }
        answer.text("text", text);
        for (name, value) in self.common.equal() {
            answer.raw(name, value);
        }
        // The formats with segments always have them, even if nothing was said; verbose answers may have words instead.
        let words = self.words.array();
        let needs_segments = format == Format::DiarizedJson || is_verbose && words.is_none();
        answer.optional("segments", self.segments_array().or(needs_segments.then(|| "[]".to_owned())).as_deref());
        answer.optional("words", words.as_deref());
        answer.optional("logprobs", self.logprobs.as_ref().map(Items::array).as_deref());
        answer.optional("usage", self.usage.json().as_deref());
        answer.finish()
    }
}

fn items(array: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(array.get()).ok()
}
