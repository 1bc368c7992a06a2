//! Rates per caller, kept in this process by `governor`.
//!
//! They are the rates of the embedded store. In front of Redis they refuse a flood early: a caller over the limit of
//! one gateway is over the limit of all. While Redis is away, they are the only rates.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{NotUntil, Quota, RateLimiter};

use super::bucket::Bucket;
use super::clock::Clock;
use super::decision::{Denial, RateReset};
use super::gcra::{ArrivalTimes, PeekStore, ZeroBasedClock};
use super::plan_limits::Limits;
use crate::domain::Subject;

/// The rates of every caller.
pub struct Rates {
    clock: Clock,
    requests: ArrivalTimes,
    audio: ArrivalTimes,
    reads: ArrivalTimes,
    limiters: Mutex<HashMap<(Kind, Duration, u32), Arc<Limiters>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Requests,
    Audio,
    Reads,
}

/// The limiters of one quota: one takes cells, the other only looks at them.
struct Limiters {
    take: RateLimiter<Subject, ArrivalTimes, ZeroBasedClock, NoOpMiddleware<Nanos>>,
    peek: RateLimiter<Subject, PeekStore, ZeroBasedClock, NoOpMiddleware<Nanos>>,
}

impl Rates {
    /// Creates rates that go by `clock`, with every bucket full.
    pub fn new(clock: Clock) -> Self {
        let times = ArrivalTimes::default;
        Self { clock, requests: times(), audio: times(), reads: times(), limiters: Mutex::default() }
    }

    /// Takes the cells of the request from both buckets, or takes nothing and returns the reason.
    pub fn take(&self, subject: &Subject, limits: &Limits) -> Result<(), Denial> {
        let requests = limits.requests.and_then(|bucket| self.check(Kind::Requests, subject, bucket, true));
        let audio = limits.audio.and_then(|bucket| self.check(Kind::Audio, subject, bucket, requests.is_none()));
        let Some(denial) = Denial::by_rates(requests, audio) else { return Ok(()) };
        if let (None, Some(bucket)) = (requests, limits.requests) {
            self.requests.give_back(subject, bucket.weight());
        }
        Err(denial)
    }

    /// Returns the result of [`Rates::take`], but takes nothing.
    pub fn peek(&self, subject: &Subject, limits: &Limits) -> Result<(), Denial> {
        let requests = limits.requests.and_then(|bucket| self.check(Kind::Requests, subject, bucket, false));
        let audio = limits.audio.and_then(|bucket| self.check(Kind::Audio, subject, bucket, false));
        Denial::by_rates(requests, audio).map_or(Ok(()), Err)
    }

    /// Gives back the cells of a request that another limit refused.
    pub fn give_back(&self, subject: &Subject, limits: &Limits) {
        for (times, bucket) in [(&self.requests, limits.requests), (&self.audio, limits.audio)] {
            if let Some(bucket) = bucket {
                times.give_back(subject, bucket.weight());
            }
        }
    }

    /// Takes the cells of a request without audio, or returns the time to wait.
    pub fn take_request(&self, subject: &Subject, bucket: Option<Bucket>) -> Result<(), Duration> {
        let wait = bucket.and_then(|bucket| self.check(Kind::Requests, subject, bucket, true));
        wait.map_or(Ok(()), Err)
    }

    /// Takes one of `bucket` for a request that only reads, or returns the time to wait. Reads have separate buckets:
    /// they use up nothing that a recording needs, and recordings do not shut them out.
    pub fn take_read(&self, subject: &Subject, bucket: Bucket) -> Result<(), Duration> {
        self.check(Kind::Reads, subject, bucket, true).map_or(Ok(()), Err)
    }

    /// Returns the time until the caller's bucket of reads is full again.
    pub fn time_until_reads_full(&self, subject: &Subject) -> Duration {
        self.reads.ahead(subject, self.clock.steady())
    }

    /// Returns the times until the caller's buckets of requests and of audio are full again.
    pub fn time_until_full(&self, subject: &Subject) -> RateReset {
        let now = self.clock.steady();
        RateReset { requests: self.requests.ahead(subject, now), audio: self.audio.ahead(subject, now) }
    }

    /// Takes over the rates of a caller from a shared store, which also counts requests on other gateways.
    pub fn raise_to(&self, subject: &Subject, reset: RateReset) {
        let now = self.clock.steady();
        self.requests.raise_to(subject, now, reset.requests);
        self.audio.raise_to(subject, now, reset.audio);
    }

    /// Forgets the callers whose buckets are full.
    pub fn forget_idle(&self) {
        let now = self.clock.steady();
        self.requests.forget_before(now);
        self.audio.forget_before(now);
        self.reads.forget_before(now);
    }

    /// Returns the time that the request has to wait; `None` if there is no wait.
    fn check(&self, kind: Kind, subject: &Subject, bucket: Bucket, take: bool) -> Option<Duration> {
        let limiters = self.limiters_of(kind, bucket);
        let now = Nanos::from(self.clock.steady());
        let waiting = |not_until: NotUntil<Nanos>| not_until.wait_time_from(now);
        let decision = if take {
            limiters.take.check_key_n(subject, bucket.cells)
        } else {
            limiters.peek.check_key_n(subject, bucket.cells)
        };
        match decision {
            Ok(decision) => decision.err().map(waiting),
            // The recording needs more than a full bucket: admission refuses such a recording before this call.
            Err(_) => Some(bucket.weight()),
        }
    }

    fn limiters_of(&self, kind: Kind, bucket: Bucket) -> Arc<Limiters> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let made = limiters.entry((kind, bucket.cell, bucket.burst.get())).or_insert_with(|| {
            let times = match kind {
                Kind::Requests => &self.requests,
                Kind::Audio => &self.audio,
                Kind::Reads => &self.reads,
            };
            let second = Quota::per_second(std::num::NonZeroU32::MIN);
            let quota = Quota::with_period(bucket.cell).unwrap_or(second).allow_burst(bucket.burst);
            Arc::new(Limiters {
                take: RateLimiter::new(quota, times.clone(), ZeroBasedClock::new(&self.clock)),
                peek: RateLimiter::new(quota, PeekStore(times.clone()), ZeroBasedClock::new(&self.clock)),
            })
        });
        Arc::clone(made)
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::{AudioRate, RequestRate};
    use crate::domain::{AudioMs, UnixMs};

    fn alice() -> Subject {
        "alice".parse().unwrap()
    }

    fn requests(per_minute: u32, burst: u32) -> Limits {
        let number = |n| NonZeroU32::new(n).unwrap();
        let rate = RequestRate { per_minute: number(per_minute), burst: number(burst) };
        Limits { requests: Some(Bucket::for_requests(rate)), ..Limits::default() }
    }

    fn audio(per_minute: u64, length: u64) -> Bucket {
        let per_minute = AudioMs::new(per_minute * 1000);
        Bucket::for_audio(AudioRate { per_minute, burst: per_minute }, AudioMs::new(length * 1000))
    }

    #[test]
    fn a_caller_who_changes_plans_keeps_what_they_have_used() {
        let clock = Clock::manual(UnixMs::new(1_000_000));
        let rates = Rates::new(clock.clone());
        for _ in 0..3 {
            rates.take(&alice(), &requests(60, 3)).unwrap();
        }
        // A limiter that is made later counts from the same zero.
        clock.advance(Duration::from_millis(250));
        let wait = Duration::from_millis(750);
        assert_eq!(rates.take(&alice(), &requests(60, 3)), Err(Denial::Requests { wait }));
        let wait = Duration::from_millis(1750);
        assert_eq!(rates.take(&alice(), &requests(60, 2)), Err(Denial::Requests { wait }));
        rates.take(&alice(), &requests(60, 4)).unwrap();
    }

    #[test]
    fn both_rates_are_taken_or_neither() {
        let rates = Rates::new(Clock::manual(UnixMs::new(1_000_000)));
        let limits = Limits { audio: Some(audio(60, 40)), ..requests(60, 2) };
        rates.take(&alice(), &limits).unwrap();
        let before = rates.time_until_full(&alice());
        assert_eq!(rates.take(&alice(), &limits), Err(Denial::Audio { wait: Duration::from_secs(20) }));
        assert_eq!(rates.peek(&alice(), &limits), Err(Denial::Audio { wait: Duration::from_secs(20) }));
        assert_eq!(rates.time_until_full(&alice()), before);
        rates.give_back(&alice(), &limits);
        assert_eq!(rates.time_until_full(&alice()), RateReset::default());
    }

    #[test]
    fn reads_have_a_bucket_of_their_own_by_the_same_rate() {
        let clock = Clock::manual(UnixMs::new(1_000_000));
        let rates = Rates::new(clock.clone());
        let limits = requests(60, 2);
        let bucket = limits.requests.unwrap();
        for _ in 0..2 {
            rates.take_read(&alice(), bucket).unwrap();
        }
        assert_eq!(rates.take_read(&alice(), bucket), Err(Duration::from_secs(1)));
        assert_eq!(rates.time_until_reads_full(&alice()), Duration::from_secs(2));
        assert_eq!(rates.time_until_full(&alice()), RateReset::default());
        for _ in 0..2 {
            rates.take(&alice(), &limits).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        rates.take_read(&alice(), bucket).unwrap();
        clock.advance(Duration::from_secs(1));
        rates.forget_idle();
        assert!(rates.reads.lock().is_empty());
    }

    #[test]
    fn what_a_shared_store_knows_counts_here_too_and_idle_callers_are_forgotten() {
        let clock = Clock::manual(UnixMs::new(1_000_000));
        let rates = Rates::new(clock.clone());
        rates.raise_to(&alice(), RateReset { requests: Duration::from_secs(3), audio: Duration::ZERO });
        let wait = Duration::from_secs(1);
        assert_eq!(rates.peek(&alice(), &requests(60, 3)), Err(Denial::Requests { wait }));
        rates.forget_idle();
        assert!(rates.peek(&alice(), &requests(60, 3)).is_err());
        clock.advance(Duration::from_secs(3));
        rates.forget_idle();
        assert!(rates.requests.lock().is_empty() && rates.audio.lock().is_empty());
    }
}
