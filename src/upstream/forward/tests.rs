//! The attempts of a request, with providers in the process and paused time.

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, advance};

use super::*;
use crate::config;
use crate::domain::AudioMs;
use crate::models::PieceProgress;
use crate::upstream::AnswerBudget;
use crate::upstream::reply::Answer;
use crate::upstream::testing::{Does, ERROR, OK, Script, arriving, providers, recording, request, settings};
use crate::upstream::{BreakerState, CandidateUnavailable, KeyState};

const RATE_LIMITED: Does = Does::Answer(429, &[("retry-after", "40")], "");

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Settings with one attempt, and a circuit breaker that opens after `failures` for ten seconds.
fn one_attempt(failures: u32) -> config::Upstream {
    let breaker = config::Breaker { failures: NonZeroU32::new(failures), pause: seconds(10) };
    config::Upstream { max_attempts: 1, breaker, ..settings() }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_is_tried_again_after_a_pause_that_doubles() {
    let run = async |seed| {
        let (script, providers) =
            (Script::new([ERROR, Does::RefuseConnection, OK]), providers(&[("p", 0)], &settings()));
        let (request, attempts) = request(recording().await, &providers, &["p"]);
        let begun = Instant::now();
        let reply = script.client(seed).forward(&request).await.unwrap();
        assert!(matches!(reply.answer, Answer::Whole { .. }));
        assert_eq!((script.asked(), attempts.count(), attempts.are_over()), (vec!["p".to_owned(); 3], 3, true));
        begun.elapsed()
    };
    let waited = run(1).await;
    assert!(waited >= Duration::from_millis(375) && waited <= Duration::from_millis(760), "{waited:?}");
    assert_eq!(run(1).await, waited, "the same randomness leads to the same waits");
    assert_ne!(run(2).await, waited);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_the_answer_after_as_many_attempts_as_are_allowed() {
    let (script, providers) = (Script::new([ERROR, ERROR, ERROR]), providers(&[("p", 0)], &settings()));
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    let error = script.client(1).forward(&request).await.unwrap_err();
    assert_eq!(error.refused().unwrap().status, 500);
    assert_eq!((attempts.count(), attempts.are_over(), attempts.have_recording()), (3, true, false));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_serves_at_once_where_the_first_provider_fails() {
    let (script, providers) = (Script::new([ERROR, OK]), providers(&[("p", 0), ("q", 0)], &settings()));
    let (request, attempts) = request(recording().await, &providers, &["p", "q"]);
    let begun = Instant::now();
    let reply = script.client(1).forward(&request).await.unwrap();
    assert_eq!(
        (reply.provider.as_str(), script.asked(), begun.elapsed()),
        ("q", vec!["p".into(), "q".into()], Duration::ZERO)
    );
    assert_eq!(attempts.last_target().unwrap().model.name, "q");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_is_taken_out_and_the_other_key_serves() {
    let (script, providers) = (Script::new([Does::Answer(401, &[], ""), OK]), providers(&[("p", 2)], &settings()));
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    script.client(1).forward(&request).await.unwrap();
    let (first, second) = (&script.asked()[0], &script.asked()[1]);
    assert_ne!(first, second);
    let refused: Vec<_> =
        providers.states()[0].keys.iter().filter(|(_, key)| *key == KeyState::Refused).cloned().collect();
    assert_eq!(refused.len(), 1);
    assert!(first.ends_with(refused[0].0.trim_start_matches("p-")));
    assert_ne!(attempts.last_target().unwrap().key, Some(refused[0].0.clone()));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_key_rests_for_the_time_that_the_provider_names() {
    let (script, providers) = (Script::new([RATE_LIMITED]), providers(&[("p", 0)], &settings()));
    let client = script.client(1);
    let begun = Instant::now();
    let (first, _) = request(recording().await, &providers, &["p"]);
    // No request waits for so long.
    assert_eq!(client.forward(&first).await.unwrap_err().refused().unwrap().status, 429);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    advance(seconds(10)).await;
    let (second, attempts) = request(recording().await, &providers, &["p"]);
    let UpstreamError::Unavailable { reason, wait } = client.forward(&second).await.unwrap_err() else { panic!() };
    assert_eq!((reason, wait), (CandidateUnavailable::KeyRateLimited, seconds(30)));
    assert_eq!((attempts.count(), attempts.last_target().is_none(), script.asked().len()), (0, true, 1));
    advance(wait).await;
    script.add([OK]);
    let (third, _) = request(recording().await, &providers, &["p"]);
    assert!(client.forward(&third).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_rate_limited_key_if_that_is_soon() {
    let soon = Does::Answer(429, &[("retry-after", "7")], "");
    let (script, providers) = (Script::new([soon, OK]), providers(&[("p", 0)], &settings()));
    let (request, _) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    script.client(1).forward(&request).await.unwrap();
    assert_eq!(begun.elapsed(), seconds(7));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_lets_one_request_probe_after_its_pause() {
    let (script, providers) = (Script::new([ERROR, ERROR]), providers(&[("p", 0)], &one_attempt(2)));
    let client = script.client(1);
    let forward = async || {
        let (request, _) = request(recording().await, &providers, &["p"]);
        client.forward(&request).await
    };
    assert!(forward().await.is_err() && forward().await.is_err());
    assert_eq!(providers.states()[0].breaker, BreakerState::Open);
    let UpstreamError::Unavailable { reason, wait } = forward().await.unwrap_err() else { panic!() };
    assert_eq!((reason, wait), (CandidateUnavailable::ProviderFailing, seconds(10)));
    advance(wait).await;
    assert_eq!(providers.states()[0].breaker, BreakerState::HalfOpen);

    // While the probe is under way, others are refused. If its client leaves, the next request probes.
    script.add([Does::FallSilent, OK]);
    let mut probe = Box::pin(forward());
    assert!(probe.as_mut().now_or_never().is_none());
    assert!(matches!(forward().await.unwrap_err(), UpstreamError::Unavailable { .. }));
    drop(probe);
    assert_eq!(providers.states()[0].breaker, BreakerState::HalfOpen);
    assert!(forward().await.is_ok());
    assert_eq!((providers.states()[0].breaker, script.asked().len()), (BreakerState::Closed, 4));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_the_breaker_again() {
    let (script, providers) = (Script::new([ERROR, ERROR]), providers(&[("p", 0)], &one_attempt(1)));
    let client = script.client(1);
    for pause in [Duration::ZERO, seconds(10)] {
        advance(pause).await;
        let (request, _) = request(recording().await, &providers, &["p"]);
        assert!(client.forward(&request).await.unwrap_err().refused().is_some());
        assert_eq!(providers.states()[0].breaker, BreakerState::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_own_deadline_leaves_a_provider_that_may_have_done_the_work() {
    for (does, is_abandoned) in [(Does::FallSilent, true), (Does::ReadNothing, false)] {
        let (script, providers) = (Script::new([does]), providers(&[("p", 0)], &settings()));
        let (mut request, attempts) = request(recording().await, &providers, &["p"]);
        request.deadline.beginning = Instant::now() + seconds(2);
        let begun = Instant::now();
        assert!(matches!(script.client(1).forward(&request).await, Err(UpstreamError::Timeout)));
        assert_eq!(
            (begun.elapsed(), attempts.abandoned_by_client(), attempts.have_recording()),
            (seconds(2), is_abandoned, false)
        );
        assert_eq!(providers.states()[0].failures, 0, "the provider may only be slower than this client allows");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_silent_for_the_whole_time_of_a_request_has_failed() {
    let (script, providers) = (Script::new([Does::FallSilent]), providers(&[("p", 0)], &settings()));
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    assert!(matches!(script.client(1).forward(&request).await, Err(UpstreamError::Timeout)));
    assert_eq!((providers.states()[0].failures, attempts.abandoned_by_client(), attempts.count()), (1, false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_says_nothing_about_the_provider() {
    for (does, has_recording) in [(Does::FallSilent, true), (Does::ReadNothing, false)] {
        let (script, providers) = (Script::new([does]), providers(&[("p", 0)], &one_attempt(1)));
        let (request, attempts) = request(recording().await, &providers, &["p"]);
        let client = script.client(1);
        {
            let mut forwarding = pin!(client.forward(&request));
            assert!(forwarding.as_mut().now_or_never().is_none());
        }
        let state = (attempts.count(), attempts.are_over(), attempts.have_recording());
        assert_eq!(state, (1, false, has_recording));
        assert_eq!(providers.states()[0].failures, 0);
        attempts.withdraw();
        assert_eq!((attempts.count(), attempts.have_recording()), (0, false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_connection_is_no_attempt_unless_it_happens_again_and_again() {
    let steps = [Does::CloseStale, Does::CloseStale, OK];
    let (script, providers) = (Script::new(steps), providers(&[("p", 0)], &one_attempt(1)));
    let (first, attempts) = request(recording().await, &providers, &["p"]);
    script.client(1).forward(&first).await.unwrap();
    assert_eq!((script.asked().len(), attempts.count(), providers.states()[0].failures), (3, 1, 0));
    script.add([Does::CloseStale, Does::CloseStale, Does::CloseStale]);
    let (second, _) = request(recording().await, &providers, &["p"]);
    assert!(matches!(script.client(1).forward(&second).await, Err(UpstreamError::Broken)));
    assert_eq!(providers.states()[0].failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_recording_is_not_the_providers_failure() {
    let (script, providers) = (Script::new([OK]), providers(&[("p", 0)], &one_attempt(1)));
    let (writer, spool) = arriving().await;
    let (request, attempts) = request(spool, &providers, &["p"]);
    let client = script.client(1);
    let mut forwarding = pin!(client.forward(&request));
    assert!(forwarding.as_mut().now_or_never().is_none());
    drop(writer);
    assert!(matches!(forwarding.await, Err(UpstreamError::RecordingLost)));
    assert_eq!((providers.states()[0].failures, attempts.count()), (0, 1));
    attempts.withdraw();
    assert_eq!(attempts.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_that_waits_for_a_slow_client_is_not_tried_again() {
    let (script, providers) = (Script::new([OK]), providers(&[("p", 0), ("q", 0)], &settings()));
    let (_writer, spool) = arriving().await;
    let (request, _) = request(spool, &providers, &["p", "q"]);
    assert!(matches!(script.client(1).forward(&request).await, Err(UpstreamError::Timeout)));
    assert_eq!((script.asked(), providers.states()[0].failures), (vec!["p".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_reports_its_provider_at_its_end() {
    for (last, failures) in [(Some("data: b\n\n"), 0), (None, 2)] {
        let steps = [ERROR, Does::Stream(vec![Some(": comment\n\n"), Some("data: a\n\n"), last])];
        let (script, providers) = (Script::new(steps), providers(&[("p", 0)], &settings()));
        let (mut request, _) = request(recording().await, &providers, &["p"]);
        request.job.options.stream = Some(true);
        let reply = script.client(1).forward(&request).await.unwrap();
        let Answer::Events { mut bytes, .. } = reply.answer else { panic!("it is a stream") };
        assert_eq!(bytes.next().await.unwrap().unwrap(), ": comment\n\ndata: a\n\n");
        assert_eq!(providers.states()[0].failures, 1, "nothing is known yet");
        let rest: Vec<_> = bytes.collect().await;
        assert_eq!((rest.len(), rest[0].is_ok()), (1, last.is_some()));
        assert_eq!(providers.states()[0].failures, failures);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_before_its_first_event_is_tried_again() {
    let steps = [Does::Stream(vec![Some(": comment\n\n"), None]), Does::Stream(vec![Some("data: a\n\n")])];
    let (script, providers) = (Script::new(steps), providers(&[("p", 0)], &settings()));
    let (mut request, attempts) = request(recording().await, &providers, &["p"]);
    request.job.options.stream = Some(true);
    assert!(script.client(1).forward(&request).await.is_ok());
    assert_eq!((attempts.count(), script.asked().len()), (2, 2));
}

/// A piece of a recording of which another piece was heard.
fn piece(request: ForwardRequest) -> ForwardRequest {
    let group = PieceGroup::of_many();
    group.record_answer();
    piece_of(group, request)
}

/// A piece of a recording, of whose others this is known.
fn piece_of(group: PieceGroup, request: ForwardRequest) -> ForwardRequest {
    ForwardRequest { portion: Portion::Piece { attempt_timeout: seconds(60), group }, ..request }
}

#[tokio::test(start_paused = true)]
async fn rate_limits_slow_a_piece_down_and_do_not_fail_it() {
    let steps = [RATE_LIMITED, RATE_LIMITED, RATE_LIMITED, RATE_LIMITED, OK];
    let settings = config::Upstream { response_timeout: seconds(600), ..one_attempt(5) };
    let (script, providers) = (Script::new(steps), providers(&[("p", 1)], &settings));
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    script.client(1).forward(&piece(request)).await.unwrap();
    assert!(begun.elapsed() >= seconds(160), "{:?}", begun.elapsed());
    assert_eq!(attempts.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_piece_waits_for_a_provider_where_a_whole_recording_is_refused() {
    let settings = config::Upstream { max_attempts: 1, response_timeout: seconds(600), ..settings() };
    let (script, providers) = (Script::new([RATE_LIMITED, OK]), providers(&[("p", 1)], &settings));
    let (first, _) = request(recording().await, &providers, &["p"]);
    script.client(1).forward(&first).await.unwrap_err();
    let (whole, _) = request(recording().await, &providers, &["p"]);
    let refused = script.client(1).forward(&whole).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Unavailable { .. }), "{refused:?}");
    let (request, _) = request(recording().await, &providers, &["p"]);
    script.client(1).forward(&piece(request)).await.unwrap();
}

/// A limit for longer than any other wait, as providers with limits by the hour state it.
const LONG_LIMIT: Does = Does::Answer(429, &[("retry-after", "1500")], "");

#[tokio::test(start_paused = true)]
async fn a_piece_waits_for_a_long_rate_limit_within_its_own_deadline() {
    let settings = config::Upstream { response_timeout: seconds(3600), ..one_attempt(5) };
    let (script, providers) = (Script::new([LONG_LIMIT, OK]), providers(&[("p", 1)], &settings));
    let (waits, _) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    script.client(1).forward(&piece(waits)).await.unwrap();
    assert!((1500..=1515).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_piece_whose_rate_limit_outlasts_its_deadline_fails_at_once() {
    let settings = config::Upstream { response_timeout: seconds(1000), ..one_attempt(5) };
    let (script, providers) = (Script::new([LONG_LIMIT]), providers(&[("p", 1)], &settings));
    let (request, _) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    let error = script.client(1).forward(&piece(request)).await.unwrap_err();
    assert_eq!((error.refused().unwrap().status.as_u16(), begun.elapsed()), (429, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_account_without_money_fails_a_piece() {
    let poor = || Does::Answer(429, &[], r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#);
    let settings = config::Upstream { max_attempts: 2, response_timeout: seconds(600), ..settings() };
    let (script, providers) = (Script::new([poor(), poor(), poor()]), providers(&[("p", 1)], &settings));
    let (first, attempts) = request(recording().await, &providers, &["p"]);
    let error = script.client(1).forward(&piece(first)).await.unwrap_err();
    assert_eq!(error.refused().unwrap().status, 429);
    assert_eq!(attempts.count(), 1, "money does not come back while a piece waits");
    let (next, attempts) = request(recording().await, &providers, &["p"]);
    let error = script.client(1).forward(&piece(next)).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::Unavailable { reason: CandidateUnavailable::QuotaExhausted, .. }),
        "{error:?}"
    );
    assert_eq!(attempts.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_at_a_piece_has_its_own_time() {
    let settings = config::Upstream { max_attempts: 3, response_timeout: seconds(600), ..settings() };
    let (script, providers) = (Script::new([Does::FallSilent, OK]), providers(&[("p", 0)], &settings));
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    script.client(1).forward(&piece(request)).await.unwrap();
    assert!((60..120).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(attempts.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_piece_has_the_time_of_a_piece_to_its_end() {
    let events = || Does::Stream(vec![Some("data: {}\n\n")]);
    let (script, providers) = (Script::new([events(), events(), events()]), providers(&[("p", 0)], &settings()));
    let forward = async |change: fn(ForwardRequest) -> ForwardRequest| {
        let (request, _) = request(recording().await, &providers, &["p"]);
        script.client(1).forward(&change(request)).await.unwrap();
    };
    forward(|whole| whole).await;
    forward(piece).await;
    // The client states less.
    forward(|request| {
        let mut piece = piece(request);
        piece.deadline.beginning = Instant::now() + seconds(30);
        piece
    })
    .await;
    assert_eq!(script.timeouts(), [settings().response_timeout, seconds(60), seconds(30)]);
}

#[tokio::test(start_paused = true)]
async fn answers_for_pieces_that_are_too_large_together_fail_while_they_are_read() {
    let failures = config::Upstream { max_attempts: 3, ..one_attempt(1) };
    let (script, providers) = (Script::new([OK, OK, OK]), providers(&[("p", 0)], &failures));
    let answers = AnswerBudget::new(40);
    let forward = async |answers: &AnswerBudget| {
        let (request, _) = request(recording().await, &providers, &["p"]);
        script.client(1).forward(&ForwardRequest { answers: answers.clone(), ..piece(request) }).await
    };
    assert!(forward(&answers).await.is_ok() && forward(&answers).await.is_ok());
    let error = forward(&answers).await.unwrap_err();
    assert!(matches!(error, UpstreamError::TooLargeTogether { allowed: 40 }), "{error:?}");
    assert_eq!((script.asked().len(), providers.states()[0].breaker), (3, BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_a_clients_deadline_cuts_leaves_its_provider_with_the_piece() {
    // The stream is silent for two minutes, and then breaks.
    for (deadline, progress, failures) in [(100, PieceProgress::Held, 0), (500, PieceProgress::NotHeld, 1)] {
        let (script, providers) =
            (Script::new([Does::BeginStream("data: a\n\n")]), providers(&[("p", 0)], &settings()));
        let (request, attempts) = request(recording().await, &providers, &["p"]);
        let log = attempts.begin_piece(AudioMs::new(1000), 0);
        let mut request = ForwardRequest { log: log.clone(), ..piece(request) };
        request.deadline.beginning = Instant::now() + seconds(deadline);
        let reply = script.client(1).forward(&request).await.unwrap();
        let Answer::Events { bytes, .. } = reply.answer else { panic!("it is a stream") };
        let events: Vec<_> = bytes.collect().await;
        assert!(matches!(events.last(), Some(Err(UpstreamError::Timeout))));
        log.piece_failed();
        let progresses: Vec<_> = attempts.pieces().unwrap().iter().map(|piece| piece.progress).collect();
        assert_eq!((progresses, providers.states()[0].failures), (vec![progress], failures), "{deadline}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_waits_for_a_limit_ends_when_another_has_failed() {
    let settings = config::Upstream { response_timeout: seconds(3600), ..settings() };
    let (script, providers) = (Script::new([LONG_LIMIT]), providers(&[("p", 1)], &settings));
    let group = PieceGroup::of_many();
    group.record_answer();
    let (request, attempts) = request(recording().await, &providers, &["p"]);
    let (request, client, begun) = (piece_of(group.clone(), request), script.client(1), Instant::now());
    let mut forwarding = pin!(client.forward(&request));
    assert!(forwarding.as_mut().now_or_never().is_none());
    advance(seconds(5)).await;
    group.end();
    assert_eq!(forwarding.await.unwrap_err().refused().unwrap().status, 429);
    assert_eq!((begun.elapsed(), attempts.count()), (seconds(5), 1));
    client.forward(&request).await.unwrap_err();
    assert_eq!((begun.elapsed(), attempts.count()), (seconds(5), 1), "no other attempt begins");
}

#[tokio::test(start_paused = true)]
async fn a_piece_of_which_nothing_was_heard_waits_two_minutes_at_most() {
    let settings = config::Upstream { response_timeout: seconds(3600), ..one_attempt(5) };
    for (group, limits, waits) in [
        (PieceGroup::of_many(), vec![LONG_LIMIT], 0..=0),
        (PieceGroup::of_many(), vec![RATE_LIMITED, RATE_LIMITED, RATE_LIMITED, RATE_LIMITED], 80..=120),
        (PieceGroup::of_one(), vec![RATE_LIMITED], 0..=0),
    ] {
        let (script, providers) = (Script::new(limits), providers(&[("p", 1)], &settings));
        let (request, _) = request(recording().await, &providers, &["p"]);
        let begun = Instant::now();
        let error = script.client(1).forward(&piece_of(group, request)).await.unwrap_err();
        assert_eq!(error.refused().unwrap().status, 429);
        assert!(waits.contains(&begun.elapsed().as_secs()), "{:?} of {waits:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_piece_waits_while_another_one_is_at_a_provider() {
    let settings = config::Upstream { response_timeout: seconds(3600), ..one_attempt(5) };
    let (script, providers) = (Script::new([LONG_LIMIT, OK]), providers(&[("p", 1)], &settings));
    let group = PieceGroup::of_many();
    let other = group.begin_attempt();
    let (request, _) = request(recording().await, &providers, &["p"]);
    let (request, client) = (piece_of(group.clone(), request), script.client(1));
    let mut forwarding = pin!(client.forward(&request));
    assert!(forwarding.as_mut().now_or_never().is_none());
    advance(seconds(300)).await;
    assert!(forwarding.as_mut().now_or_never().is_none());
    group.record_answer();
    drop(other);
    assert!(forwarding.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_piece_waits_for_the_candidate_that_it_may_wait_for() {
    // A lack of money is not waited for; the limit of the other, though longer, is.
    let settings = config::Upstream { response_timeout: seconds(3600), max_attempts: 3, ..settings() };
    let poor = Does::Answer(429, &[], r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#);
    let (script, providers) = (Script::new([poor, LONG_LIMIT, OK]), providers(&[("p", 1), ("q", 1)], &settings));
    let (request, _) = request(recording().await, &providers, &["p", "q"]);
    let begun = Instant::now();
    script.client(1).forward(&piece(request)).await.unwrap();
    assert!((1500..=1515).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pauses_of_a_piece_grow_while_a_limit_without_a_time_goes_on() {
    let unstated = || Does::Answer(429, &[], "");
    let settings = config::Upstream { response_timeout: seconds(3600), ..settings() };
    let steps = (0..12).map(|_| unstated()).chain([OK]);
    let (script, providers) = (Script::new(steps), providers(&[("p", 1)], &settings));
    let (request, _) = request(recording().await, &providers, &["p"]);
    let begun = Instant::now();
    script.client(1).forward(&piece(request)).await.unwrap();
    assert!(begun.elapsed() >= seconds(150), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn keys_that_rest_for_different_reasons_all_rest() {
    let poor = Does::Answer(429, &[], r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#);
    let (script, providers) = (Script::new([poor, RATE_LIMITED]), providers(&[("p", 2)], &settings()));
    let (first, _) = request(recording().await, &providers, &["p"]);
    script.client(1).forward(&first).await.unwrap_err();
    let (next, _) = request(recording().await, &providers, &["p"]);
    let UpstreamError::Unavailable { reason, wait } = script.client(1).forward(&next).await.unwrap_err() else {
        panic!()
    };
    assert_eq!((reason, wait), (CandidateUnavailable::KeyRateLimited, seconds(40)));
}
