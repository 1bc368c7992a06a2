//! The deadlines of the pieces of one recording.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::headers::client_timeout::ClientTimeouts;
use crate::upstream::Deadline;

/// The time limits of one request whose recording goes in pieces.
#[derive(Debug)]
pub(super) struct PieceDeadlines {
    /// The limits that the client states.
    pub(super) limits: ClientTimeouts,
    /// The time at which the request came.
    pub(super) arrival: Instant,
    /// True if the client wants a stream.
    pub(super) streams: bool,
    /// The interval of the keep-alives in a stream.
    pub(super) keep_alive: Duration,
    /// The longest time that the pieces may take together.
    pub(super) max: Cell<Duration>,
    pub(super) upload: Cell<UploadTime>,
}

/// The times of an upload that matter for the deadlines of its pieces.
#[derive(Debug, Clone, Copy)]
pub(super) enum UploadTime {
    /// The recording is still arriving. However slow the upload, each piece has its time.
    Arriving,
    /// The recording is whole since this time.
    Whole(Instant),
}

impl PieceDeadlines {
    /// Records that the recording has arrived, and the longest time that its pieces may take from now on.
    pub(super) fn has_arrived(&self, max: Duration) {
        self.max.set(max);
        self.upload.set(UploadTime::Whole(Instant::now()));
    }

    /// Counts the time of the pieces of a whole recording from now on: it went to a provider as it is before. What the
    /// client states counts as before.
    pub(super) fn begin_now(&self) {
        if let UploadTime::Whole(at) = self.upload.get() {
            self.max.set(self.max.get().saturating_add(at.elapsed()));
        }
    }

    /// Returns the deadline of a piece that is sent now.
    pub(super) fn next(&self) -> Deadline {
        let (sent, since) = match self.upload.get() {
            UploadTime::Arriving => (None, Instant::now()),
            UploadTime::Whole(at) => (Some(at), at),
        };
        let max = self.max.get().saturating_add(since.saturating_duration_since(self.arrival));
        self.limits.deadline(self.arrival, sent, self.streams, max, self.keep_alive)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upload_takes_no_time_from_its_pieces() {
        let arrival = Instant::now();
        let deadlines = PieceDeadlines {
            limits: ClientTimeouts::default(),
            arrival,
            streams: false,
            keep_alive: seconds(15),
            max: Cell::new(seconds(60)),
            upload: Cell::new(UploadTime::Arriving),
        };
        tokio::time::advance(seconds(3600)).await;
        assert_eq!(deadlines.next().whole, arrival + seconds(3660));
        deadlines.has_arrived(seconds(100));
        tokio::time::advance(seconds(50)).await;
        assert_eq!(deadlines.next().whole, arrival + seconds(3700));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_attempt_takes_time_only_from_what_the_client_states() {
        let arrival = Instant::now();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-stainless-read-timeout"), HeaderValue::from_static("90"));
        tokio::time::advance(seconds(10)).await;
        let deadlines = PieceDeadlines {
            limits: ClientTimeouts::parse(&headers).ok().unwrap(),
            arrival,
            streams: false,
            keep_alive: seconds(15),
            max: Cell::new(seconds(100)),
            upload: Cell::new(UploadTime::Whole(Instant::now())),
        };
        tokio::time::advance(seconds(50)).await;
        deadlines.begin_now();
        let Deadline { whole, beginning } = deadlines.next();
        assert_eq!((whole, beginning), (arrival + seconds(160), arrival + seconds(100)));
    }
}
