//! The attempts of a request, with providers in the process and paused time.

mod pieces;

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
