//! The stages of a request, as its connection reads it.

use bytes::Bytes;

use super::chunk_frames::ChunkFrames;
use super::head::BodyLength;
use super::refusal::Refusal;

/// The next data expected from the client.
pub(super) enum Stage {
    /// A head, with the number of its bytes already scanned.
    Head(usize),
    /// A complete head, to pass to actix.
    Deliver(Bytes, BodyLength),
    /// The number of body bytes still to come.
    Body(u64),
    /// Chunks of a body.
    Chunks(ChunkFrames),
    /// The end of the last chunk, to pass to actix.
    LastChunk(Bytes),
    /// Nothing new until the request is answered.
    Answer,
    /// The answer to an invalid request; after it, input is discarded.
    Refusal(Refusal),
    Linger,
    /// The end of the input.
    End,
}

impl Stage {
    /// Returns the stage after a head.
    pub(super) fn after_head(body: BodyLength) -> Self {
        match body {
            BodyLength::Known(length) => Self::body(length),
            BodyLength::Chunked => Self::Chunks(ChunkFrames::default()),
        }
    }

    /// Returns the stage in which `left` bytes of a body are to come.
    pub(super) fn body(left: u64) -> Self {
        if left == 0 { Self::Answer } else { Self::Body(left) }
    }
}
