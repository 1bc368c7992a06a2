//! The spool: one recording, in memory while it is small, beyond that in a private file without a name.
//!
//! A [`SpoolWriter`] takes bytes as they arrive; the finished [`Spool`] can be read from the start as often as a retry
//! needs. The file has no name from the moment it is made, so the system deletes it when the last handle goes, whatever
//! happens to the process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::task::spawn_blocking;

/// What is read from the file or written to it at once.
const BLOCK: usize = 256 * 1024;

/// Takes the bytes of one recording as they arrive.
#[derive(Debug)]
pub struct SpoolWriter {
    threshold: usize,
    directory: PathBuf,
    /// What is not in the file: everything up to the threshold, less than a block after that.
    memory: Vec<u8>,
    file: Option<Arc<File>>,
    length: u64,
}

impl SpoolWriter {
    /// A spool that keeps up to `threshold` bytes in memory and more than that in a file in `directory`.
    pub fn new(threshold: usize, directory: &Path) -> Self {
        Self { threshold, directory: directory.to_owned(), memory: Vec::new(), file: None, length: 0 }
    }

    /// How many bytes were appended.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds `chunk` at the end.
    pub async fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(chunk);
        self.length = self.length.saturating_add(chunk.len().try_into().unwrap_or(u64::MAX));
        let limit = if self.file.is_some() { BLOCK } else { self.threshold };
        if self.memory.len() > limit { self.write_out().await } else { Ok(()) }
    }

    /// Ends the recording.
    pub async fn finish(mut self) -> io::Result<Spool> {
        if self.file.is_some() {
            self.write_out().await?;
        }
        let place = match self.file {
            Some(file) => Place::File(file),
            None => Place::Memory(self.memory.into()),
        };
        Ok(Spool { place, length: self.length })
    }

    /// Moves what is in memory to the end of the file.
    async fn write_out(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.memory);
        let file = self.file.take();
        let directory = self.directory.clone();
        let written = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(directory)?),
            };
            file.as_ref().write_all(&block)?;
            Ok::<_, io::Error>((file, block))
        });
        let (file, mut block) = written.await.map_err(io::Error::other)??;
        self.file = Some(file);
        // The buffer is kept for the next block, unless it grew to a threshold that is larger than one.
        block.clear();
        block.shrink_to(BLOCK);
        self.memory = block;
        Ok(())
    }
}

/// One whole recording. Cloning it makes another handle to the same bytes.
#[derive(Debug, Clone)]
pub struct Spool {
    place: Place,
    length: u64,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Bytes),
    File(Arc<File>),
}

impl Spool {
    /// Its size in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its bytes from the start, each time that this is called.
    pub fn chunks(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold((self.place.clone(), 0), |(place, position)| async move {
            let chunk = match &place {
                // The whole at once: it is there already.
                Place::Memory(bytes) if position == 0 => bytes.clone(),
                Place::Memory(_) => Bytes::new(),
                Place::File(file) => read_block(Arc::clone(file), position).await?,
            };
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            Ok((length > 0).then(|| (chunk, (place, position.saturating_add(length)))))
        })
    }

    /// Its bytes for code that reads and seeks, which may block.
    pub fn source(&self) -> SpoolSource {
        SpoolSource { place: self.place.clone(), length: self.length, position: 0 }
    }
}

async fn read_block(file: Arc<File>, position: u64) -> io::Result<Bytes> {
    let read = spawn_blocking(move || {
        let mut block = vec![0; BLOCK];
        let length = file.read_at(&mut block, position)?;
        block.truncate(length);
        Ok(Bytes::from(block))
    });
    read.await.map_err(io::Error::other)?
}

/// A position in a spool, to read and seek.
#[derive(Debug)]
pub struct SpoolSource {
    place: Place,
    length: u64,
    position: u64,
}

impl Read for SpoolSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.place {
            Place::Memory(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX);
                bytes.get(start..).unwrap_or_default().read(buffer)?
            }
            Place::File(file) => file.read_at(buffer, self.position)?,
        };
        self.position = self.position.saturating_add(count.try_into().unwrap_or(u64::MAX));
        Ok(count)
    }
}

impl Seek for SpoolSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    async fn spool(threshold: usize, chunks: &[&[u8]]) -> Spool {
        let mut writer = SpoolWriter::new(threshold, &std::env::temp_dir());
        for chunk in chunks {
            writer.append(chunk).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    async fn read_all(spool: &Spool) -> Vec<u8> {
        spool
            .chunks()
            .try_fold(Vec::new(), |all, chunk| async move { Ok([all, chunk.to_vec()].concat()) })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_recording_reads_the_same_from_memory_and_from_a_file_as_often_as_needed() {
        let block = vec![7; BLOCK - 1];
        let chunks: [&[u8]; 4] = [b"start", &block, &block, b"end"];
        let whole = chunks.concat();
        for threshold in [0, 4, 5, 6, whole.len() - 1, whole.len()] {
            let spool = spool(threshold, &chunks).await;
            assert_eq!(matches!(spool.place, Place::Memory(_)), threshold >= whole.len(), "threshold {threshold}");
            assert_eq!(spool.length(), u64::try_from(whole.len()).unwrap());
            for _ in 0..2 {
                assert!(read_all(&spool).await == whole, "threshold {threshold}");
            }
            let mut source = spool.source();
            let mut end = Vec::new();
            source.seek(SeekFrom::End(-3)).unwrap();
            source.read_to_end(&mut end).unwrap();
            assert_eq!(end, b"end");
        }
    }

    #[tokio::test]
    async fn a_large_recording_leaves_no_name_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = SpoolWriter::new(1, directory.path());
        writer.append(b"a recording").await.unwrap();
        let spool = writer.finish().await.unwrap();
        assert_eq!(read_all(&spool).await, b"a recording");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
