//! The order of what happens to pieces, with providers in the process and paused time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use reqwest::header::HeaderMap;
use tokio::time::{Instant, sleep};

use super::super::join::{JoinRequest, Joiner, Times};
use super::super::request::SendingPiece;
use super::*;
use crate::config::Model;
use crate::domain::Length;
use crate::domain::terms::{Format, Task};
use crate::fair_share::ShareKey;
use crate::intake::{Spool, SpoolQuota, SpoolWriter};
use crate::models::{AttemptTarget, Attempts, PieceProgress};
use crate::speech::{CutReport, Encoding};
use crate::upstream::{AnswerBudget, PieceGroup, Reply};

const MINUTE: Duration = Duration::from_mins(1);

/// The behaviour of the provider towards a piece.
#[derive(Clone, Copy)]
enum Does {
    /// Answers with the number of the piece, after a time.
    Answers(Duration),
    /// Fails, after a time.
    Fails(Duration),
    /// Streams a word and breaks off, asks nobody again, and fails.
    BreaksOff,
    /// Answers with a useless body.
    Mumbles,
}

/// Pieces of ten seconds each, and what was seen of them.
struct Bench {
    does: BTreeMap<u32, Does>,
    sent: Rc<RefCell<Vec<u32>>>,
    at_once: Rc<Cell<usize>>,
    max_at_once: Rc<Cell<usize>>,
    attempts: Attempts,
    answers: AnswerBudget,
    /// The position up to which silence was left out behind the last piece.
    silent_until: Samples,
}

impl Bench {
    fn new(does: impl IntoIterator<Item = (u32, Does)>) -> Self {
        Self {
            does: does.into_iter().collect(),
            sent: Rc::default(),
            at_once: Rc::default(),
            max_at_once: Rc::default(),
            attempts: Attempts::default(),
            answers: AnswerBudget::new(1000),
            silent_until: Samples::default(),
        }
    }

    async fn request(&self, count: u32, at_once: usize) -> SplitRequest {
        let audio = spool().await;
        let span = |number: u32| {
            let at = |number: u32| Samples::from_ms(u64::from(number) * 10_000);
            Span { start: at(number), end: at(number + 1) }
        };
        let pieces = (0..count).map(move |number| {
            Ok(Piece {
                number,
                span: span(number),
                voice: vec![span(number)],
                encoding: Encoding::Flac,
                audio: audio.clone(),
            })
        });
        let (does, sent, attempts) = (self.does.clone(), Rc::clone(&self.sent), self.attempts.clone());
        let (now, max, answers) = (Rc::clone(&self.at_once), Rc::clone(&self.max_at_once), self.answers.clone());
        let begin = move |to_send: PieceToSend<'_>| {
            let number = to_send.piece.number;
            sent.borrow_mut().push(number);
            let does = does.get(&number).copied().unwrap_or(Does::Answers(Duration::ZERO));
            let (now, max, answers) = (Rc::clone(&now), Rc::clone(&max), answers.clone());
            let begin = || attempts.begin_piece(AudioMs::new(10_000), 0);
            let (log, streamed) = (to_send.log.cloned().unwrap_or_else(begin), to_send.streamed);
            if streamed {
                let model = Arc::new(Model::unknown("m"));
                log.begin_attempt(AttemptTarget { model, provider: "p".to_owned(), key: None }).upload().set();
            }
            let reply = async move {
                now.set(now.get() + 1);
                max.set(max.get().max(now.get()));
                let answer = match does {
                    Does::Answers(time) => {
                        sleep(time).await;
                        let body = format!("{{\"text\":\"{number}\"}}");
                        answers.take(body.len()).map(|()| reply(body))
                    }
                    Does::Fails(time) => {
                        sleep(time).await;
                        Err(UpstreamError::Unreachable)
                    }
                    Does::BreaksOff if streamed => {
                        let delta = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"word\"}\n\n";
                        let bytes = stream::iter([Ok(delta.into()), Err(UpstreamError::Timeout)]).boxed();
                        Ok(Reply { answer: Answer::Events { bytes, key: None }, ..reply(String::new()) })
                    }
                    Does::BreaksOff => Err(UpstreamError::Timeout),
                    Does::Mumbles => Ok(reply("mumble".to_owned())),
                };
                now.set(now.get() - 1);
                answer
            };
            SendingPiece { log, reply: Box::pin(reply) }
        };
        SplitRequest {
            pieces: stream::iter(pieces).boxed_local(),
            send: Box::new(begin),
            group: PieceGroup::of_many(),
            joiner: Joiner::new(JoinRequest {
                format: Format::Json,
                times: Times::Model,
                task: Task::Transcribe,
                language: None,
                known_speakers: Vec::new(),
            }),
            length: Rc::new(Cell::new(Length::Measured(AudioMs::new(u64::from(count) * 10_000)))),
            report: Rc::new(Cell::new(CutReport { silent_until: self.silent_until, ..CutReport::default() })),
            at_once,
            streams_first: false,
            carries_context: false,
            answers: self.answers.clone(),
            max_event_bytes: 1000,
        }
    }

    /// Runs to the end. Returns the text, or what is heard and missing, in whole seconds.
    async fn run(&self, count: u32, at_once: usize) -> Result<String, (String, Vec<(u64, u64)>)> {
        let mut pieces = Pieces::new(self.request(count, at_once).await);
        while pieces.advance().await.is_some() {}
        match pieces.finish() {
            Ok(joined) => Ok(text_of(joined.answer())),
            Err(TranscriptError::Incomplete(incomplete)) => {
                let seconds = |samples: Samples| samples.audio_ms().get() / 1000;
                let missing = incomplete.missing.iter().map(|span| (seconds(span.start), seconds(span.end)));
                Err((incomplete.partial.text, missing.collect()))
            }
            Err(error) => Err((error.to_string(), Vec::new())),
        }
    }
}

fn reply(body: String) -> Reply {
    let answer = Answer::Whole { content_type: None, body: body.into() };
    Reply { provider: "p".to_owned(), request_id: None, headers: HeaderMap::new(), answer }
}

fn text_of(body: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["text"].as_str().unwrap().to_owned()
}

async fn spool() -> Spool {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = crate::config::Settings::load(Some(file.path())).unwrap();
    let quota = SpoolQuota::new(&settings.fixed.spool, settings.intake.max_audio_bytes);
    let mut writer = SpoolWriter::new(&quota, ShareKey::unique(), None).unwrap();
    writer.append(b"sound").await.unwrap();
    writer.finish().release()
}

#[tokio::test(start_paused = true)]
async fn as_many_pieces_are_sent_at_once_as_are_allowed_and_joined_in_order() {
    // The earlier, the slower.
    let times = (0..6).map(|number| (number, Does::Answers(MINUTE * (6 - number))));
    let bench = Bench::new(times);
    let begun = Instant::now();
    assert_eq!(bench.run(6, 3).await, Ok("0 1 2 3 4 5".to_owned()));
    assert_eq!((bench.max_at_once.get(), bench.sent.borrow().clone()), (3, vec![0, 1, 2, 3, 4, 5]));
    assert!(begun.elapsed() < MINUTE * 12, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_no_piece_is_sent_and_those_in_flight_are_finished() {
    let bench = Bench::new([(1, Does::Fails(MINUTE)), (2, Does::Answers(MINUTE * 5)), (3, Does::Answers(MINUTE * 5))]);
    assert_eq!(bench.run(6, 2).await, Err(("0 2".to_owned(), vec![(10, 20), (30, 60)])));
    assert_eq!(bench.sent.borrow().clone(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn silence_behind_the_last_piece_is_not_missing_and_what_nobody_looked_at_is() {
    let fails = || [(1, Does::Fails(MINUTE)), (2, Does::Answers(MINUTE * 5)), (3, Does::Answers(MINUTE * 5))];
    let silent_until = |seconds: u64| Bench { silent_until: Samples::from_ms(seconds * 1000), ..Bench::new(fails()) };
    let missing = async |seconds| silent_until(seconds).run(6, 2).await.unwrap_err().1;
    // Four pieces were cut when the second failed.
    assert_eq!(missing(39).await, [(10, 20), (30, 60)]);
    assert_eq!(missing(45).await, [(10, 20), (30, 40), (45, 60)]);
    assert_eq!(missing(60).await, [(10, 20), (30, 40)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_joined_fails_its_piece_and_keeps_the_rest() {
    let bench = Bench::new([(1, Does::Mumbles), (0, Does::Answers(MINUTE))]);
    assert_eq!(bench.run(3, 3).await, Err(("0 2".to_owned(), vec![(10, 20)])));
}

#[tokio::test(start_paused = true)]
async fn a_useless_answer_behind_a_hole_is_missing_too() {
    let bench = Bench::new([(0, Does::Answers(Duration::ZERO)), (1, Does::Fails(MINUTE)), (2, Does::Mumbles)]);
    assert_eq!(bench.run(3, 3).await, Err(("0".to_owned(), vec![(10, 30)])));
}

#[tokio::test(start_paused = true)]
async fn nothing_heard_is_the_providers_error() {
    let bench = Bench::new([(0, Does::Fails(Duration::ZERO))]);
    assert_eq!(bench.run(1, 3).await, Err((UpstreamError::Unreachable.to_string(), Vec::new())));
}

#[tokio::test(start_paused = true)]
async fn answers_beyond_the_limit_of_all_together_fail() {
    let bench = Bench { answers: AnswerBudget::new(30), ..Bench::new([]) };
    let mut pieces = Pieces::new(bench.request(9, 1).await);
    while pieces.advance().await.is_some() {}
    let error = pieces.finish().err().unwrap();
    assert!(matches!(error.provider(), Some(UpstreamError::TooLargeTogether { allowed: 30 })), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn progress_counts_what_is_heard_and_where_the_text_is_complete() {
    let bench = Bench::new([(0, Does::Answers(MINUTE)), (1, Does::Answers(Duration::ZERO))]);
    let mut pieces = Pieces::new(bench.request(2, 2).await);
    assert_eq!(pieces.progress().pieces, None);
    pieces.advance().await.unwrap();
    let progress = pieces.progress();
    assert_eq!((progress.done, progress.pieces, progress.audio.get()), (2, Some(2), 10_000));
    pieces.advance().await.unwrap();
    assert_eq!(pieces.progress().audio.get(), 20_000);
    assert!(pieces.advance().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn words_of_a_stream_that_broke_off_stay_heard_though_nobody_is_asked_again() {
    let bench = Bench::new([(0, Does::BreaksOff)]);
    let request = SplitRequest { streams_first: true, ..bench.request(1, 1).await };
    let mut pieces = Pieces::new(request);
    assert!(pieces.advance().await.is_some());
    assert!(pieces.advance().await.is_none());
    assert!(
        matches!(pieces.finish(), Err(TranscriptError::Incomplete(incomplete)) if incomplete.partial.text == "word")
    );
    let sent: Vec<_> = bench.attempts.pieces().unwrap().iter().map(|piece| piece.progress).collect();
    assert_eq!((sent, bench.sent.borrow().clone()), (vec![PieceProgress::Transcribed], vec![0, 0]));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_broke_off_takes_no_room_from_the_other_answers() {
    let bench = Bench::new([(0, Does::BreaksOff)]);
    let mut pieces = Pieces::new(SplitRequest { streams_first: true, ..bench.request(1, 1).await });
    while pieces.advance().await.is_some() {}
    assert!(bench.answers.take(bench.answers.max()).is_ok());
}
