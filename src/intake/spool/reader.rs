//! Reading a spool: as a stream of chunks, or for code that reads and seeks.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::task::spawn_blocking;

use super::state::{BLOCK, PIECE, ReadState, Shared, bytes, length_of};

/// Returns a stream of the bytes of a spool that has, or will have, `expected` bytes. `is_live`: the stream is a live
/// reader, which reads while the recording arrives.
pub(super) fn chunks(
    shared: Arc<Shared>,
    expected: u64,
    is_live: bool,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((shared, 0_u64), move |(shared, place)| async move {
        let chunk = loop {
            // The future is created before the read, so that no later change is missed.
            let changed = shared.change();
            if is_live {
                shared.live_reader_at(place);
            }
            match shared.read_state(place, expected) {
                ReadState::Bytes(bytes) => break bytes,
                ReadState::InFile(file, length) => {
                    break read_block(file, place, length.min(block_of(&shared))).await?;
                }
                ReadState::Wait => changed.await,
                ReadState::End => return Ok(None),
                ReadState::Broken => return Err(broken()),
            }
        };
        let place = place.saturating_add(length_of(&chunk));
        Ok(Some((chunk, (shared, place))))
    })
}

/// Returns the number of bytes to read at once: one piece if memory is short.
fn block_of(shared: &Shared) -> u64 {
    let (block, piece) = (bytes(BLOCK), bytes(PIECE));
    shared.lock().memory.grow_to(block).map_or(piece, |()| block)
}

async fn read_block(file: Arc<File>, place: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).unwrap_or(BLOCK);
    let read = spawn_blocking(move || {
        let mut block = vec![0; length];
        file.read_exact_at(&mut block, place)?;
        Ok(Bytes::from(block))
    });
    read.await.map_err(io::Error::other)?
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the recording did not arrive whole")
}

/// A position in the bytes of a spool that have arrived, for code that reads and seeks.
#[derive(Debug)]
pub struct SpoolSource {
    shared: Arc<Shared>,
    position: u64,
    /// The size of the recording, if reads distinguish bytes that have not arrived from its end.
    expected: Option<u64>,
    /// The flag that is set when the reader's client has gone.
    cancelled: Option<Arc<AtomicBool>>,
}

impl SpoolSource {
    pub(super) fn new(shared: Arc<Shared>, cancelled: Option<Arc<AtomicBool>>) -> Self {
        Self { shared, position: 0, expected: None, cancelled }
    }

    /// Makes reads of bytes that have not arrived fail with [`ErrorKind::WouldBlock`]. The recording has `expected` bytes.
    pub(super) fn expecting(self, expected: u64) -> Self {
        Self { expected: Some(expected), ..self }
    }

    fn state(&self) -> ReadState {
        match self.expected {
            Some(expected) if self.position > expected => ReadState::End,
            Some(expected) => self.shared.read_state(self.position, expected),
            None => self.shared.arrived(self.position),
        }
    }
}

impl Read for SpoolSource {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, "the client has gone"));
        }
        let mut count = 0;
        // Pieces in memory are small compared with the buffer.
        while !buffer.is_empty() {
            let read = match self.state() {
                ReadState::Bytes(bytes) => bytes.as_ref().read(buffer)?,
                ReadState::InFile(file, length) => {
                    let max = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
                    file.read_at(buffer.get_mut(..max).unwrap_or_default(), self.position)?
                }
                ReadState::Wait if count == 0 && self.expected.is_some() => return Err(ErrorKind::WouldBlock.into()),
                ReadState::Wait | ReadState::End => break,
                ReadState::Broken => return Err(broken()),
            };
            if read == 0 {
                break;
            }
            count += read;
            self.position = self.position.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            buffer = buffer.get_mut(read..).unwrap_or_default();
        }
        Ok(count)
    }
}

impl Seek for SpoolSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.expected.unwrap_or_else(|| self.shared.length()).checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
