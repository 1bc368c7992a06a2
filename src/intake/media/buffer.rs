//! The buffer for the window of the recording that is being measured.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Deref;

use super::demux::MAX_WINDOW;

/// The largest buffer that a thread keeps. It holds more than a window: what is processed stays in it for a while.
const MAX_KEPT: usize = 3 * MAX_WINDOW;

thread_local! {
    /// The buffer of the last recording that this thread measured. The next one reuses it: the pages of a new buffer would
    /// have to be faulted in first.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that its thread reuses.
#[derive(Debug)]
pub(super) struct Buffer {
    /// The content, and then whatever is left over. All of it is initialised, so that nothing is filled with zeros only to
    /// be overwritten.
    bytes: Vec<u8>,
    /// The length of the content.
    length: usize,
}

impl Buffer {
    /// Returns an empty buffer.
    pub(super) fn new() -> Self {
        Self { bytes: SPARE.take(), length: 0 }
    }

    /// Appends up to `count` bytes of `source`, fewer only at its end. Returns the number of bytes read.
    pub(super) fn fill(&mut self, source: &mut impl Read, count: usize) -> io::Result<usize> {
        let end = self.length.saturating_add(count);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let from = self.length;
        loop {
            let free = self.bytes.get_mut(self.length..end).unwrap_or_default();
            if free.is_empty() {
                break;
            }
            match source.read(free) {
                Ok(0) => break,
                Ok(more) => self.length += more.min(free.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.length - from)
    }

    /// Removes the first `count` bytes.
    pub(super) fn remove_front(&mut self, count: usize) {
        let count = count.min(self.length);
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }

    /// Removes the content.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
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
        buffer.remove_front(7);
        assert_eq!(&buffer[..], b"789");
    }

    #[test]
    fn a_thread_reuses_its_buffer() {
        let mut buffer = Buffer::new();
        buffer.fill(&mut &[7; 5000][..], 5000).unwrap();
        let place = buffer.as_ptr();
        drop(buffer);
        let mut again = Buffer::new();
        assert!(again.is_empty() && again.bytes.capacity() >= 5000);
        again.fill(&mut &[1][..], 1).unwrap();
        assert_eq!((again.as_ptr(), &again[..]), (place, &[1][..]));
        again.fill(&mut &[][..], MAX_KEPT).unwrap();
        drop(again);
        assert_eq!(Buffer::new().bytes.capacity(), 0);
    }
}
