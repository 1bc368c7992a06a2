use proptest::prelude::*;

use super::*;

const PACE: BodyTimeouts =
    BodyTimeouts { idle: Duration::from_secs(30), whole: Duration::from_mins(5), min_rate: 4096, announced: 0 };

/// Feeds a body of `chunks`, each with its delay after the previous chunk and its size. No bytes follow them, and
/// the body does not end. Returns the time after which the body is given up, and the error.
async fn given_up(pace: BodyTimeouts, chunks: Vec<(Duration, usize)>) -> (Duration, IntakeError) {
    let start = Instant::now();
    let sent = stream::iter(chunks).then(|(after, bytes)| async move {
        tokio::time::sleep(after).await;
        Ok(Bytes::from(vec![0; bytes]))
    });
    let body = Box::pin(sent.chain(stream::pending()));
    let mut held = pace.hold(body, u64::MAX);
    loop {
        match held.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return (start.elapsed(), IntakeError::from_payload(&error, 0)),
            None => panic!("it does not end"),
        }
    }
}

fn every(interval: Duration, bytes: usize) -> Vec<(Duration, usize)> {
    vec![(interval, bytes); 2000]
}

fn seconds(span: Duration) -> u64 {
    span.as_secs()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_given_up_after_its_first_minute() {
    for bytes in [1, 100, 4000] {
        let (after, error) = given_up(PACE, every(SECOND, bytes)).await;
        assert!(matches!(error, IntakeError::BelowMinRate { min_rate: 4096 }), "{error}");
        assert_eq!(seconds(after), 60, "{bytes} bytes a second");
    }
    // The bytes of the first minute count: ten times the minimum rate for one minute lasts ten minutes.
    let burst = [every(SECOND, 40_960)[..60].to_vec(), every(SECOND, 1)].concat();
    let roomy = BodyTimeouts { whole: Duration::from_hours(1), ..PACE };
    assert_eq!(seconds(given_up(roomy, burst).await.0), 600);
}

#[test]
fn no_upload_is_waited_for_beyond_its_longest_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // A minimum rate would only end an upload earlier.
    let settings =
        config::Intake { min_bytes_per_second: 0, ..config::Settings::load(Some(file.path())).unwrap().intake };
    for bytes in [0, 1 << 20, settings.max_audio_bytes] {
        let (limits, longest) = (BodyTimeouts::new(&settings, Some(bytes)), max_upload_time(&settings, bytes));
        assert_eq!(limits.wait(longest, bytes).0, Duration::ZERO, "{bytes}");
        assert!(limits.wait(longest.saturating_sub(SECOND), bytes).0 > Duration::ZERO, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_keeps_up_the_rate_may_take_the_whole_time_and_that_of_its_bytes() {
    let (after, error) = given_up(PACE, every(SECOND, 8192)).await;
    assert!(matches!(error, IntakeError::TooSlow), "{error}");
    // 300 s, and each second adds 1/16 s: 300 / (1 - 1/16).
    assert_eq!(seconds(after), 319, "one before the chunk that would be too late");
    let announced = BodyTimeouts { announced: 100 * ADDED_TIME_RATE, ..PACE };
    assert_eq!(seconds(given_up(announced, every(SECOND, 8192)).await.0), 400);
    // At one megabit a second the body may continue forever, or up to its maximum size.
    let fast = given_up(PACE, every(SECOND, 128 * 1024)).await.0;
    assert_eq!(seconds(fast), 2030, "it is silent after 2000 s");
}

#[tokio::test(start_paused = true)]
async fn silence_has_its_own_limit_and_without_a_rate_only_the_others_hold() {
    let (after, error) = given_up(PACE, Vec::new()).await;
    assert_eq!((seconds(after), matches!(error, IntakeError::TooSlow)), (30, true));
    let unpaced = BodyTimeouts { min_rate: 0, ..PACE };
    let (after, error) = given_up(unpaced, every(SECOND * 20, 1)).await;
    assert_eq!((seconds(after), matches!(error, IntakeError::TooSlow)), (300, true));
}

proptest! {
    #[test]
    fn the_wait_is_never_longer_than_any_limit_leaves(
        elapsed in 0..10_000_u64, read in any::<u64>(), announced in any::<u64>(), min_rate in any::<u64>(),
    ) {
        let pace = BodyTimeouts { min_rate, announced, ..PACE };
        let elapsed = Duration::from_secs(elapsed);
        let (wait, _) = pace.wait(elapsed, read);
        prop_assert!(wait <= pace.idle);
        prop_assert!(wait.saturating_add(elapsed) <= pace.whole.saturating_add(time_of(read.max(announced), ADDED_TIME_RATE)).max(elapsed));
        // More bytes never shorten the wait.
        prop_assert!(wait <= pace.wait(elapsed, read.saturating_add(1)).0);
    }
}
