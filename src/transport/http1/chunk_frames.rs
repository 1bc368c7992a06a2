//! The frames of the chunks that actix gets: one chunk for each read, however the client divided its body.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::chunks::ChunkReader;
use super::read_ahead::ReadAhead;

/// The line before a chunk, with the digits of its size still to be written.
const HEAD: &[u8; 10] = b"00000000\r\n";

/// The end of a chunk's data.
const DATA_END: &[u8] = b"\r\n";

/// The last chunk.
const LAST: &[u8] = b"0\r\n\r\n";

/// The last chunk, after one with data.
const DATA_END_AND_LAST: &[u8] = b"\r\n0\r\n\r\n";

/// A body that comes in chunks and goes to actix in others.
#[derive(Default)]
pub(super) struct ChunkFrames {
    reader: ChunkReader,
    /// True if the data of a chunk were passed on and their end was not.
    is_open: bool,
}

/// The progress of a body in chunks.
pub(super) enum Progress {
    /// More is to come.
    Going,
    /// The body is over after these bytes.
    Ends(Bytes),
    /// The body breaks the chunked grammar; it is over after these bytes.
    Broken(Bytes),
    /// The client closed its side before the end of the body.
    Cut,
}

impl ChunkFrames {
    /// Passes the data of the next read on, as one chunk. Its end follows with the next chunk, so that the read may use
    /// the whole buffer.
    pub(super) fn poll_pass<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadAhead<S>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Progress>> {
        let begin = buffer.filled().len();
        let end_before = if self.is_open { DATA_END } else { b"" };
        if buffer.remaining() <= end_before.len() + HEAD.len() {
            // actix offers a kibibyte at least.
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        }
        buffer.put_slice(end_before);
        let size_at = buffer.filled().len();
        buffer.put_slice(HEAD);
        let data_at = buffer.filled().len();
        let read = match input.poll_pass(cx, usize::MAX, buffer) {
            Poll::Ready(Ok(read)) => read,
            other => {
                buffer.set_filled(begin);
                return other.map_ok(|_| Progress::Going);
            }
        };
        let extracted = self.reader.extract(buffer.filled_mut().get_mut(data_at..).unwrap_or_default());
        let behind = buffer.filled().get(data_at + extracted.used..).unwrap_or_default();
        if extracted.is_broken {
            input.discard();
        } else if self.reader.is_at_end() {
            input.put_back(behind);
        }
        if extracted.body == 0 {
            buffer.set_filled(begin);
        } else {
            buffer.set_filled(data_at + extracted.body);
            write_hex(extracted.body, buffer.filled_mut().get_mut(size_at..data_at).unwrap_or_default());
            self.is_open = true;
        }
        let end = Bytes::from_static(if self.is_open { DATA_END_AND_LAST } else { LAST });
        Poll::Ready(Ok(match () {
            () if read == 0 => Progress::Cut,
            () if extracted.is_broken => Progress::Broken(end),
            () if self.reader.is_at_end() => Progress::Ends(end),
            () => Progress::Going,
        }))
    }
}

/// Writes the size into the eight digits of a chunk's head.
fn write_hex(size: usize, head: &mut [u8]) {
    let digits = head.iter_mut().take(8).rev();
    for (digit, shift) in digits.zip((0..).step_by(4)) {
        let value = u32::try_from(size >> shift & 0xf).unwrap_or_default();
        *digit = char::from_digit(value, 16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(b'0');
    }
}
