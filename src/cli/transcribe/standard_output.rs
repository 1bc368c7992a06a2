//! Standard output, written on a thread of its own: who reads it may pause for as long as they like, and must then hold up
//! neither recordings that are being sent nor the end of the process.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::display::Display;
use crate::domain::text::is_obeyed;

/// The number of texts that wait for a reader.
const TEXTS_AHEAD: usize = 16;

/// A text, and who wants to know that it is written.
struct Text {
    bytes: Vec<u8>,
    written: oneshot::Sender<io::Result<()>>,
}

/// Whether a text is written, once that is known.
pub(super) struct Pending(oneshot::Receiver<io::Result<()>>);

/// Standard output. Clones write to the same place.
#[derive(Debug, Clone)]
pub(super) struct StandardOutput(mpsc::Sender<Text>);

impl StandardOutput {
    /// Starts the thread. Where bars share the terminal, they make way.
    pub(super) fn start(display: Display) -> io::Result<Self> {
        let (sender, mut texts) = mpsc::channel::<Text>(TEXTS_AHEAD);
        let write_all = move || {
            let is_terminal = io::stdout().is_terminal();
            while let Some(Text { bytes, written }) = texts.blocking_recv() {
                // Bars elsewhere must go on while nobody reads.
                let result = if is_terminal { display.beside(|| write(&for_terminal(&bytes))) } else { write(&bytes) };
                let is_closed = result.is_err();
                // Nobody wants to know once the command is stopped.
                let _ = written.send(result);
                if is_closed {
                    return;
                }
            }
        };
        thread::Builder::new().name("output".to_owned()).spawn(write_all)?;
        Ok(Self(sender))
    }

    /// Takes a text that is written when its turn comes. Fails if nothing can be written any more.
    pub(super) async fn queue(&self, bytes: Vec<u8>) -> io::Result<Pending> {
        let (written, result) = oneshot::channel();
        self.0.send(Text { bytes, written }).await.map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(Pending(result))
    }
}

impl Pending {
    /// Waits until the text is written.
    pub(super) async fn written(self) -> io::Result<()> {
        self.0.await.unwrap_or_else(|_| Err(ErrorKind::BrokenPipe.into()))
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Returns the text without what a terminal would obey. It is what a stranger said, or what a stranger's gateway answers.
fn for_terminal(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_obeyed(*c)).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_commands() {
        assert_eq!(for_terminal("a\u{1b}[2J\tb\r\n\u{202e}c".as_bytes()), b"a[2J\tb\nc");
    }
}
