//! `[upstream]` and `[relay]`: requests to providers, and the relay of their answers.

use std::num::NonZeroU32;
use std::time::Duration;

use super::reader::Section;

/// `[upstream]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The time until the whole answer has arrived, counted from the arrival of the request, for all attempts together;
    /// 10m.
    pub response_timeout: Duration,
    /// The longest silence while the answer arrives; 2m.
    pub idle_timeout: Duration,
    /// The largest answer that is not a stream, in bytes; 16777216.
    pub max_answer_bytes: usize,
    /// The largest number of attempts of one request, at all providers together; 3.
    pub max_attempts: u32,
    /// The first wait before the next attempt at the same provider; it doubles with each attempt; 250ms.
    pub backoff: Duration,
    /// The longest such wait, unless the provider asks for more; 8s.
    pub max_backoff: Duration,
    /// The circuit breaker of each provider.
    pub breaker: Breaker,
}

/// `upstream.breaker_failures` and `upstream.breaker_pause`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// The number of failures in a row that open the circuit breaker; 5. `None`, written 0, turns it off.
    pub failures: Option<NonZeroU32>,
    /// The time that the circuit breaker then stays open; 10s.
    pub pause: Duration,
}

/// The part of `[upstream]` that says how to connect to providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConnections {
    /// The time to connect to the provider; 5s.
    pub connect_timeout: Duration,
    /// The time that an idle connection is kept; 90s.
    pub pool_idle_timeout: Duration,
}

impl ProviderConnections {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            connect_timeout: section.value("connect_timeout", Duration::from_secs(5)),
            pool_idle_timeout: section.value("pool_idle_timeout", Duration::from_secs(90)),
        }
    }
}

impl Upstream {
    /// Reads the rest of the section after [`ProviderConnections`].
    pub(super) fn read(mut section: Section) -> Self {
        let mut number = |key, range, default: u32| {
            section.ranged(key, range).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
        };
        let max_attempts = number("max_attempts", 1..=10, 3);
        let answer = number("max_answer_bytes", 1..=1 << 30, 16_777_216);
        let failures = NonZeroU32::new(number("breaker_failures", 0..=1000, 5));
        let settings = Self {
            response_timeout: section.value("response_timeout", Duration::from_mins(10)),
            idle_timeout: section.value("idle_timeout", Duration::from_mins(2)),
            max_answer_bytes: usize::try_from(answer).unwrap_or(usize::MAX),
            max_attempts,
            backoff: section.value("backoff", Duration::from_millis(250)),
            max_backoff: section.value("max_backoff", Duration::from_secs(8)),
            breaker: Breaker { failures, pause: section.value("breaker_pause", Duration::from_secs(10)) },
        };
        if settings.max_backoff < settings.backoff {
            section.problem("max_backoff", "is shorter than backoff, the first wait");
        }
        section.finish();
        settings
    }
}

/// `[relay]`
#[derive(Debug, Clone)]
pub struct Relay {
    /// The silence after which a comment line is sent on a stream; 15s.
    pub keep_alive: Duration,
    /// The largest event that a provider may send, in bytes; 8388608.
    pub max_event_bytes: usize,
}

impl Relay {
    pub(super) fn read(mut section: Section) -> Self {
        let event = section.ranged("max_event_bytes", 1..=1 << 30);
        let settings = Self {
            keep_alive: section.value("keep_alive", Duration::from_secs(15)),
            max_event_bytes: event.and_then(|max| max.try_into().ok()).unwrap_or(8_388_608),
        };
        section.finish();
        settings
    }
}
