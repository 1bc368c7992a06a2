//! Random access to a source, with a buffer.

use std::io::{self, Read, Seek, SeekFrom};

/// The number of bytes read at a new position.
const FIRST: usize = 4 * 1024;

/// A buffer with the part of a source that was read last.
#[derive(Debug)]
pub(in crate::intake::media) struct ReadBuffer {
    at: u64,
    bytes: Vec<u8>,
    /// The number of bytes read where reading continues near the last position.
    ahead: usize,
}

impl ReadBuffer {
    pub(in crate::intake::media) fn new(ahead: usize) -> Self {
        Self { at: 0, bytes: Vec::new(), ahead }
    }

    /// Returns the buffered bytes from `at`: at least one and at most `wanted`, or none at the end of the source.
    pub(in crate::intake::media) fn bytes<S: Read + Seek>(
        &mut self,
        source: &mut S,
        at: u64,
        wanted: usize,
    ) -> io::Result<&[u8]> {
        if i64::try_from(at).is_err() {
            return Ok(&[]);
        }
        let ends = self.at.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX));
        if at < self.at || at >= ends {
            let near = self.at > 0 && at.checked_sub(ends).is_some_and(|gap| gap < u64::try_from(FIRST).unwrap_or(0));
            let size = if near { self.ahead } else { wanted.max(FIRST).min(self.ahead) };
            source.seek(SeekFrom::Start(at))?;
            self.bytes.clear();
            self.at = at;
            source.by_ref().take(u64::try_from(size).unwrap_or(u64::MAX)).read_to_end(&mut self.bytes)?;
        }
        let from = usize::try_from(at - self.at).unwrap_or(usize::MAX);
        let shown = self.bytes.get(from..).unwrap_or_default();
        Ok(shown.get(..wanted).unwrap_or(shown))
    }

    /// Returns the `N` bytes from `at`, or `None` if the source ends before.
    pub(in crate::intake::media) fn exactly<S: Read + Seek, const N: usize>(
        &mut self,
        source: &mut S,
        at: u64,
    ) -> io::Result<Option<[u8; N]>> {
        let mut all = [0; N];
        let mut filled = 0;
        while let Some(free @ [_, ..]) = all.get_mut(filled..) {
            let from = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            let read = self.bytes(source, from, free.len())?;
            if read.is_empty() {
                return Ok(None);
            }
            free.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
            filled += read.len();
        }
        Ok(Some(all))
    }
}
