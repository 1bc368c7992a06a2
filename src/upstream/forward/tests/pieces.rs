//! The attempts at pieces: what they wait for, and what ends them.

use super::*;
use crate::upstream::Portion;

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
