use super::*;

fn key() -> Key {
    Key::new(&ProviderKey::only("the-first".to_owned().into()))
}

fn backoff() -> Backoff {
    let (first, longest) = (Duration::from_millis(250), Duration::from_secs(8));
    Backoff::between(first, longest)
}

#[test]
fn a_key_that_is_not_accepted_is_out_and_then_tried_by_one() {
    let (mut key, now) = (key(), Instant::now());
    let (first, second) = (key.lease(now), key.lease(now));
    assert!(key.record_rejection(&first, now), "it is told once");
    assert!(!key.record_rejection(&second, now + REJECTED_PAUSE / 2), "what was on its way then is not news");
    assert_eq!(key.wait(now + REJECTED_PAUSE / 2), (REJECTED_PAUSE / 2, CandidateUnavailable::KeyRejected));
    let later = now + REJECTED_PAUSE;
    assert!(key.wait(later).0.is_zero());
    let probe = key.lease(later);
    assert!(!key.wait(later).0.is_zero());
    assert!(!key.record_rejection(&probe, later), "nor is that it still is not");
    assert_eq!(key.wait(later).0, REJECTED_PAUSE);
    let probe = key.lease(now);
    assert!(key.record_success(&probe) && key.wait(later).0.is_zero());
}

#[test]
fn what_is_said_of_a_key_that_was_replaced_is_not_said_of_the_new_one() {
    let (mut key, now) = (key(), Instant::now());
    let old = key.lease(now);
    key.record_rejection(&old, now);
    assert!(!key.replace("the-first".to_owned().into()), "the same is no change");
    assert!(key.replace("the-second".to_owned().into()));
    assert!(key.wait(now).0.is_zero(), "a new key starts anew");
    assert!(!key.record_rejection(&old, now) && key.wait(now).0.is_zero());
    key.record_rate_limit(&old, Some(Duration::from_mins(1)), false, backoff(), now);
    assert!(key.wait(now).0.is_zero());
    assert_eq!(old.secret.as_ref().map(ExposeSecret::expose_secret), Some("the-first"));
}

#[test]
fn a_key_over_its_limit_rests_as_told_or_by_a_time_that_doubles_and_never_for_long() {
    let now = Instant::now();
    let rest = |told: Option<u64>, no_quota| {
        let mut key = key();
        let lease = key.lease(now);
        let rest = key.record_rate_limit(&lease, told.map(Duration::from_secs), no_quota, backoff(), now);
        let reason = if no_quota { CandidateUnavailable::QuotaExhausted } else { CandidateUnavailable::KeyRateLimited };
        assert_eq!(key.wait(now), (rest, reason));
        rest
    };
    assert_eq!(rest(Some(7), false), Duration::from_secs(7));
    assert_eq!(rest(Some(86_400), false), MAX_REST);
    assert_eq!(rest(None, false), Duration::from_millis(250));
    assert_eq!(rest(None, true), MIN_REST_WITHOUT_QUOTA);
    assert_eq!(rest(Some(7), true), MIN_REST_WITHOUT_QUOTA);
    let mut key = key();
    let mut untimed = || {
        let lease = key.lease(now);
        key.record_rate_limit(&lease, None, false, backoff(), now).as_millis()
    };
    assert_eq!([untimed(), untimed(), untimed()], [250, 500, 1000]);
}

#[test]
fn a_shorter_rest_does_not_cut_a_longer_one_short() {
    let (mut key, now) = (key(), Instant::now());
    let lease = key.lease(now);
    for seconds in [20, 5] {
        key.record_rate_limit(&lease, Some(Duration::from_secs(seconds)), false, backoff(), now);
    }
    assert_eq!(key.wait(now).0.as_secs(), 20);
}

#[test]
fn the_reason_of_a_rest_is_that_of_the_longest() {
    for (first, second) in [(true, false), (false, true)] {
        let (mut key, now) = (key(), Instant::now());
        let lease = key.lease(now);
        for no_quota in [first, second] {
            key.record_rate_limit(&lease, Some(Duration::from_secs(7)), no_quota, backoff(), now);
        }
        assert_eq!(key.wait(now), (MIN_REST_WITHOUT_QUOTA, CandidateUnavailable::QuotaExhausted));
    }
}
