//! The buffer for the window of the recording that is being measured.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};

use super::demux::MAX_WINDOW;

/// The largest buffer that a thread keeps. Windows grow in steps, beyond what a demuxer asks for.
const MAX_KEPT: usize = 2 * MAX_WINDOW;

thread_local! {
    /// The buffer of the last recording that this thread measured. The next one reuses it: the pages of a new buffer would
    /// have to be faulted in first.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that its thread reuses.
#[derive(Debug)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// Returns an empty buffer.
    pub(super) fn new() -> Self {
        let mut bytes = SPARE.take();
        bytes.clear();
        Self(bytes)
    }

    /// Appends up to `count` bytes of `source`, fewer only at its end. Returns the number of bytes read.
    pub(super) fn fill(&mut self, source: &mut impl Read, count: usize) -> io::Result<usize> {
        let from = self.0.len();
        self.0.resize(from.saturating_add(count), 0);
        let mut read = 0;
        let filled = loop {
            let free = self.0.get_mut(from.saturating_add(read)..).unwrap_or_default();
            if free.is_empty() {
                break Ok(read);
            }
            match source.read(free) {
                Ok(0) => break Ok(read),
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.0.truncate(from.saturating_add(read));
        filled
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        if bytes.capacity() <= MAX_KEPT {
            // A thread that is ending has no use for it.
            let _ = SPARE.try_with(|spare| spare.set(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that hands out a few bytes at a time, and is interrupted before each.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = buffer.len().min(3);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn a_buffer_is_filled_up_to_the_end_of_its_source() {
        let mut source = Trickle(b"0123456789", false);
        let mut buffer = Buffer::new();
        assert_eq!(buffer.fill(&mut source, 4).unwrap(), 4);
        assert_eq!(buffer.fill(&mut source, 99).unwrap(), 6);
        assert_eq!(buffer.fill(&mut source, 99).unwrap(), 0);
        assert_eq!(&buffer[..], b"0123456789");
    }

    #[test]
    fn a_thread_reuses_its_buffer() {
        let mut buffer = Buffer::new();
        buffer.fill(&mut &[7; 5000][..], 5000).unwrap();
        let place = buffer.as_ptr();
        drop(buffer);
        let mut again = Buffer::new();
        assert!(again.is_empty() && again.capacity() >= 5000);
        again.push(1);
        assert_eq!(again.as_ptr(), place);
        again.reserve(MAX_KEPT + 1);
        drop(again);
        assert_eq!(Buffer::new().capacity(), 0);
    }
}
