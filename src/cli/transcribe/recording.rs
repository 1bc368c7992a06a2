//! The bytes of a recording, read while they are sent.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::thread;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::sync::{mpsc, oneshot};

use super::input::Input;

/// The size of a chunk, and the number of chunks that are read ahead.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_AHEAD: usize = 4;

/// A recording that is being read.
pub(super) struct Recording {
    /// The number of bytes, if it is known before the end: that of a regular file. Anything else can be read only once.
    pub(super) length: Option<u64>,
    chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl Recording {
    /// Opens a recording, and reads it, on a thread of its own: a named pipe may have no writer and standard input may be
    /// silent for as long as they like, and must then hold up neither other recordings nor the end of the process.
    pub(super) async fn open(input: &Input) -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let length = match input {
            Input::Standard => {
                spawn(move || send_all(io::stdin().lock(), &sender))?;
                None
            }
            Input::File(path) => {
                let (answer, opened) = oneshot::channel();
                let path = path.clone();
                spawn(move || match open_file(&path) {
                    Ok((file, length)) => {
                        // A file that grows is sent as long as it was, since that length goes first.
                        if answer.send(Ok(length)).is_ok() {
                            send_all(file.take(length.unwrap_or(u64::MAX)), &sender);
                        }
                    }
                    Err(error) => {
                        // Nobody wants to know once the command is stopped.
                        let _ = answer.send(Err(error));
                    }
                })?;
                opened.await.unwrap_or_else(|_| Err(ErrorKind::Other.into()))?
            }
        };
        Ok(Self { length, chunks })
    }

    /// Returns the bytes, chunk by chunk.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold(self.chunks, |mut chunks| async { Some((chunks.recv().await?, chunks)) })
    }
}

/// Opens a file, and returns its length if it is a regular one.
fn open_file(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((file, length))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("recording".to_owned()).spawn(work).map(drop)
}

/// Sends everything that `source` has, until its end, an error, or the end of the request.
fn send_all(mut source: impl Read, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut buffer = BytesMut::zeroed(CHUNK_BYTES);
        let chunk = match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer.split_to(read).freeze()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}
