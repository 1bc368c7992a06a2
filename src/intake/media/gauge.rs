//! The reader that knows how far the walk has come.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

/// The demuxer's own buffer asks for up to 32 KiB at a time. It is given this much, so that the position is known as well
/// as this after each packet: a damaged file is charged by the bytes that are left behind the damage.
pub(super) const STEP: u64 = 1024;

/// Part of a file, read as if it were the whole.
pub(super) struct Gauge<S> {
    inner: BufReader<S>,
    start: u64,
    len: u64,
    at: Arc<AtomicU64>,
    seekable: bool,
}

/// Where a [`Gauge`] is, while someone else owns it.
#[derive(Clone)]
pub(super) struct Position(Arc<AtomicU64>);

impl Position {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: Read + Seek> Gauge<S> {
    /// The bytes `start..end` of `source`.
    pub(super) fn new(source: S, start: u64, end: u64, seekable: bool) -> io::Result<Self> {
        let mut inner = BufReader::with_capacity(64 * 1024, source);
        inner.seek(SeekFrom::Start(start))?;
        Ok(Self { inner, start, len: end.saturating_sub(start), at: Arc::default(), seekable })
    }

    pub(super) fn position(&self) -> Position {
        Position(Arc::clone(&self.at))
    }
}

impl<S: Read> Read for Gauge<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = self.at.load(Ordering::Relaxed);
        let step = self.len.saturating_sub(at).min(STEP);
        let wanted = buf.len().min(usize::try_from(step).unwrap_or_default());
        let Some(buf) = buf.get_mut(..wanted) else { return Ok(0) };
        let read = self.inner.read(buf)?;
        self.at.store(at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)), Ordering::Relaxed);
        Ok(read)
    }
}

impl<S: Read + Seek> Seek for Gauge<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.at.load(Ordering::Relaxed);
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        // Past the end there is nothing to read, wherever an index in the file says to go.
        let target = target.ok_or(io::ErrorKind::InvalidInput)?.min(self.len);
        match i64::try_from(i128::from(target) - i128::from(at)) {
            Ok(by) => self.inner.seek_relative(by)?,
            Err(_) => {
                self.inner.seek(SeekFrom::Start(self.start.saturating_add(target)))?;
            }
        }
        self.at.store(target, Ordering::Relaxed);
        Ok(target)
    }
}

impl<S: Read + Seek + Send + Sync> MediaSource for Gauge<S> {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    /// Not told where it is not needed: Matroska's demuxer gives up on a cluster that was cut off if it knows the length.
    fn byte_len(&self) -> Option<u64> {
        self.seekable.then_some(self.len)
    }
}
