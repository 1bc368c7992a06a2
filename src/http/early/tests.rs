//! Tests of early forwarding, with a provider in this process: in each outcome the provider gets the last byte or not, and
//! the caller is charged or not, as it should be.

mod setup;

use std::pin::pin;

use crate::domain::AudioMs;
use setup::{FORM, Gateway, Provider, Then, Upload, form, settles, understated, wav};

/// The size of the recordings: nine whole pieces of the spool.
const SIZE: usize = 9 * 32 * 1024;
/// The bytes that can be read while the last piece is not full.
const READABLE: usize = 8 * 32 * 1024;
const SAMPLES: u32 = 9 * 32 * 1024 - 44;
const SECOND: AudioMs = AudioMs::new(1000);
const NOTHING: AudioMs = AudioMs::new(0);

/// Builds a recording of one second.
fn second() -> Vec<u8> {
    wav(SAMPLES, SAMPLES)
}

#[tokio::test]
async fn a_recording_that_is_as_claimed_is_confirmed() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::Answers]));
    let upload = Upload::new("audio/wav", second());
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    // The last byte arrives, and the body does not end.
    upload.send_all_but(0);
    provider.has(SIZE - 1, dispatched.as_mut()).await;
    settles(dispatched.as_mut()).await;
    assert_eq!(provider.received(), [SIZE - 1], "the recording is not measured yet");
    upload.send_rest();
    let in_flight = dispatched.await.ok().unwrap();
    assert_eq!(gateway.answer(in_flight).await, 1);
    assert_eq!(provider.received(), [SIZE]);
    assert_eq!(gateway.charged().await, SECOND);
}

#[tokio::test]
async fn a_field_after_the_recording_restarts_the_job_under_its_permit() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::Answers, Then::Answers]));
    let upload = Upload::new(FORM, form(("model", "m"), &second(), ("language", "de")));
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    provider.has(SIZE / 2, dispatched.as_mut()).await;
    upload.send_rest();
    let in_flight = dispatched.await.ok().unwrap();
    assert_eq!(gateway.answer(in_flight).await, 1, "the first attempt does not count");
    let received = provider.received();
    assert!(received.len() == 2 && received[0] <= SIZE && received[1] == SIZE, "{received:?}");
    assert_eq!(gateway.charged().await, SECOND);
}

#[tokio::test]
async fn a_recording_that_is_longer_than_claimed_is_admitted_anew() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::Answers, Then::Answers]));
    let upload = Upload::new("audio/wav", understated(SAMPLES, SAMPLES));
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    provider.has(READABLE, dispatched.as_mut()).await;
    assert!(gateway.estimated().await < AudioMs::new(100), "it is admitted by its claim");
    upload.send_rest();
    let in_flight = dispatched.await.ok().unwrap();
    assert_eq!(gateway.answer(in_flight).await, 1, "the first attempt does not count");
    let received = provider.received();
    assert!(received.len() == 2 && received[0] < SIZE && received[1] == SIZE, "{received:?}");
    assert!(gateway.charged().await >= SECOND);
}

#[tokio::test]
async fn a_job_that_is_refused_by_its_true_length_costs_nothing() {
    let (gateway, provider) = (Gateway::with_plan("monthly_audio_minutes = 1"), Provider::that([Then::Answers]));
    let upload = Upload::new("audio/wav", understated(SAMPLES, SAMPLES / 75));
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    provider.has(READABLE, dispatched.as_mut()).await;
    upload.send_rest();
    assert_eq!(dispatched.await.err().unwrap().code(), "insufficient_quota");
    let received = provider.received();
    assert!(received.len() == 1 && received[0] < SIZE, "{received:?}");
    assert_eq!(gateway.charged().await, NOTHING);
}

#[tokio::test]
async fn a_job_that_its_claim_does_not_admit_waits_for_the_whole_recording() {
    let (gateway, provider) = (Gateway::with_plan("monthly_audio_minutes = 0"), Provider::that([]));
    let upload = Upload::new("audio/wav", second());
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    settles(dispatched.as_mut()).await;
    upload.send_rest();
    assert_eq!(dispatched.await.err().unwrap().code(), "insufficient_quota");
    assert_eq!(provider.received(), [0; 0]);
    assert_eq!(gateway.charged().await, NOTHING);
}

#[tokio::test]
async fn an_upload_that_breaks_off_costs_nothing() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::Answers]));
    let upload = Upload::new("audio/wav", second());
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    provider.has(READABLE, dispatched.as_mut()).await;
    upload.break_off();
    assert_eq!(dispatched.await.err().unwrap().code(), "incomplete_body");
    assert_eq!(provider.received(), [READABLE]);
    assert_eq!(gateway.charged().await, NOTHING);
}

#[tokio::test]
async fn a_provider_that_ends_a_slow_upload_gets_the_whole_recording_again() {
    let gateway = Gateway::with_plan("");
    let provider = Provider::that([Then::BreaksAfter(SIZE / 2), Then::Answers]);
    let upload = Upload::new("audio/wav", second());
    let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    provider.has(SIZE / 2, dispatched.as_mut()).await;
    settles(dispatched.as_mut()).await;
    assert_eq!(provider.received().len(), 1, "it waits for the whole recording");
    upload.send_rest();
    let in_flight = dispatched.await.ok().unwrap();
    assert_eq!(gateway.answer(in_flight).await, 2, "the provider failed once");
    assert_eq!(provider.received()[1..], [SIZE]);
    assert_eq!(gateway.charged().await, SECOND);
}

#[tokio::test]
async fn a_provider_that_fails_ends_the_request_before_its_upload_does() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::FailsAfter(SIZE / 2)]));
    let upload = Upload::new("audio/wav", second());
    let dispatched = pin!(gateway.dispatch(&provider, &upload));
    upload.send_all_but(1000);
    assert_eq!(dispatched.await.err().unwrap().code(), "provider_unreachable");
    assert_eq!(gateway.charged().await, NOTHING);
}

#[tokio::test]
async fn a_client_that_leaves_costs_nothing() {
    let (gateway, provider) = (Gateway::with_plan(""), Provider::that([Then::Answers]));
    let upload = Upload::new("audio/wav", second());
    {
        let mut dispatched = pin!(gateway.dispatch(&provider, &upload));
        upload.send_all_but(0);
        provider.has(SIZE - 1, dispatched.as_mut()).await;
        assert_eq!(gateway.estimated().await, SECOND);
    }
    assert_eq!(provider.received(), [SIZE - 1], "it never gets the last byte");
    assert_eq!(gateway.charged().await, NOTHING);
}
