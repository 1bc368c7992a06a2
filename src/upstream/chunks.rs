//! The body of a provider's answer as it arrives, at a cost that does not depend on the size of its chunks.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use reqwest::Response;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::UpstreamError;

/// The body of an answer as it arrives.
pub type EventBytes = BoxStream<'static, Result<Bytes, UpstreamError>>;

/// The size in bytes below which a chunk is small: it costs more work than it brings data.
const SMALL_BYTES: usize = 512;

/// The largest size to which the gateway joins small chunks that have already arrived.
const JOINED_BYTES: usize = 16 * 1024;

/// The number of small chunks that a provider may send at once.
const MAX_SMALL_CHUNKS: u32 = 2_000;

/// The number of small chunks that a provider regains in each [`TICK`]. The gateway reads a provider that sends single
/// bytes at 5 KB/s, at a cost of a few hundredths of a processor.
const SMALL_CHUNKS_PER_TICK: u32 = 50;

/// The wait of a provider that has sent more small chunks than allowed. It is too short to notice.
const TICK: Duration = Duration::from_millis(10);

/// The number of small chunks that a provider may still send.
struct SmallChunks {
    left: u32,
    since: Instant,
}

impl SmallChunks {
    fn new() -> Self {
        Self { left: MAX_SMALL_CHUNKS, since: Instant::now() }
    }

    fn count(&mut self, chunk: &Bytes) {
        if chunk.len() < SMALL_BYTES {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Waits for the next tick if none are left.
    async fn wait(&mut self) {
        if self.left > 0 {
            return;
        }
        sleep_until(self.since + TICK).await;
        let ticks = self.since.elapsed().as_micros() / TICK.as_micros().max(1);
        let come_back = u32::try_from(ticks).unwrap_or(u32::MAX).saturating_mul(SMALL_CHUNKS_PER_TICK);
        self.left = come_back.clamp(SMALL_CHUNKS_PER_TICK, MAX_SMALL_CHUNKS);
        self.since = Instant::now();
    }
}

/// A body that is still arriving.
struct Arriving {
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    small: SmallChunks,
    /// The end of the body, if it followed directly after joined chunks.
    end: Option<End>,
}

/// The end of a body.
enum End {
    Whole,
    Failed(reqwest::Error),
}

impl Arriving {
    async fn next(&mut self) -> Option<reqwest::Result<Bytes>> {
        match self.end.take() {
            Some(End::Whole) => return None,
            Some(End::Failed(error)) => return Some(Err(error)),
            None => self.small.wait().await,
        }
        match self.chunks.next().await {
            Some(Ok(first)) => Some(Ok(self.join(first))),
            other => other,
        }
    }

    /// Joins a chunk with the small ones that have already arrived.
    fn join(&mut self, first: Bytes) -> Bytes {
        self.small.count(&first);
        if first.len() >= SMALL_BYTES {
            return first;
        }
        let mut joined = BytesMut::new();
        while joined.len() < JOINED_BYTES && self.small.left > 0 {
            match self.chunks.next().now_or_never() {
                None => break,
                Some(Some(Ok(chunk))) => {
                    self.small.count(&chunk);
                    if joined.is_empty() {
                        joined.extend_from_slice(&first);
                    }
                    joined.extend_from_slice(&chunk);
                }
                Some(end) => {
                    self.end = Some(end.and_then(Result::err).map_or(End::Whole, End::Failed));
                    break;
                }
            }
        }
        if joined.is_empty() { first } else { joined.freeze() }
    }
}

/// Returns the body of `response`, without its head. A silence longer than `idle` ends the body with an error.
pub(super) fn chunks(response: Response, idle: Duration) -> EventBytes {
    arriving(response.bytes_stream().boxed(), idle)
}

fn arriving(chunks: BoxStream<'static, reqwest::Result<Bytes>>, idle: Duration) -> EventBytes {
    let arriving = Arriving { chunks, small: SmallChunks::new(), end: None };
    stream::unfold(Some(arriving), move |arriving| async move {
        let mut arriving = arriving?;
        match timeout(idle, arriving.next()).await {
            Err(_) => Some((Err(UpstreamError::Timeout), None)),
            Ok(Some(Err(error))) => Some((Err(UpstreamError::from_client(&error)), None)),
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(arriving))),
            Ok(None) => None,
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: Duration = Duration::from_mins(1);

    fn all(chunks: Vec<Vec<u8>>) -> (Vec<u8>, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let begun = Instant::now();
            let chunks = stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))));
            let read: Vec<_> = arriving(chunks.boxed(), IDLE).map(Result::unwrap).collect().await;
            (read.concat(), begun.elapsed())
        })
    }

    proptest! {
        #[test]
        fn a_body_is_itself_however_it_was_cut_up(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..60),
        ) {
            prop_assert_eq!(all(chunks.clone()).0, chunks.concat());
        }
    }

    #[test]
    fn a_provider_that_sends_bytes_one_by_one_is_read_at_a_pace_and_any_other_at_once() {
        let one_by_one = |count: usize| all(vec![vec![b'x']; count]);
        assert_eq!(one_by_one(1_999).1, Duration::ZERO);
        let (read, took) = one_by_one(20_000);
        assert_eq!(read.len(), 20_000);
        // The runtime's paused clock advances only while a task waits.
        assert!(took >= Duration::from_secs(3) && took <= Duration::from_secs(5), "{took:?}");
        assert_eq!(all(vec![vec![b'x'; SMALL_BYTES]; 50_000]).1, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_is_not_held_back_for_what_may_follow() {
        let first = stream::iter([Ok(Bytes::from("data: a\n"))]);
        let later = stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Bytes::from("\n"))
        });
        let mut read = arriving(first.chain(later).boxed(), IDLE);
        let begun = Instant::now();
        assert_eq!(read.next().await.unwrap().unwrap(), "data: a\n");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(read.next().await.unwrap().unwrap(), "\n");
        assert!(read.next().await.is_none());
    }
}
