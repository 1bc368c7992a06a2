//! A person who speaks into `voxgate transcribe --live`.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::live::QUARTER;
use super::poll::until;
use super::talk::Talk;
use super::transcribe::{Recordings, Screen};

/// The options for the sound of a [`Talk`].
pub(crate) const PCM: [&str; 3] = ["--live", "--sample-rate", "16000"];

/// A run whose standard input is open.
pub(crate) struct Speaker {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Screen,
    pub(crate) stderr: Screen,
}

impl Speaker {
    /// Starts the command with these arguments.
    pub(crate) fn start(recordings: &Recordings, arguments: &[&str]) -> Self {
        let mut child = recordings.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (stdout, stderr) = (Screen::of(child.stdout.take().unwrap()), Screen::of(child.stderr.take().unwrap()));
        Self { child, stdin, stdout, stderr }
    }

    /// Starts the command for PCM, with more arguments.
    pub(crate) fn pcm(recordings: &Recordings, more: &[&str]) -> Self {
        Self::start(recordings, &[&PCM[..], more].concat())
    }

    /// Says a sentence, and pauses.
    pub(crate) fn says_a_sentence(&mut self) {
        self.plays(Talk::default().says(1).pause(700).pcm());
    }

    /// Plays sound as a recorder does: in pieces, and faster.
    pub(crate) fn plays(&mut self, sound: &[u8]) {
        for piece in sound.chunks(QUARTER) {
            self.stdin.as_mut().unwrap().write_all(piece).unwrap();
        }
    }

    /// Ends the sound.
    pub(crate) fn falls_silent(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn signals(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end, and returns the exit status.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        until("the command ends", async || child.try_wait().unwrap().ok_or("it runs")).await.code()
    }

    /// Ends the sound, and waits until the command has ended well, with this output.
    pub(crate) async fn ends_with(&mut self, stdout: &str) {
        self.falls_silent();
        let code = self.ended().await;
        assert_eq!(code, Some(0), "{}", self.stderr.text());
        self.prints(stdout).await;
        assert!(!self.stderr.text().contains("eyJ") && !self.stderr.text().contains("panic"), "{}", self.stderr.text());
    }

    /// Waits until this is the whole output of a command that has ended.
    pub(crate) async fn prints(&self, stdout: &str) {
        self.stdout.shows(stdout).await;
        assert_eq!(self.stdout.text(), stdout);
    }

    /// Waits until the command has a session, and returns its id.
    pub(crate) async fn session(&self) -> String {
        self.stderr.shows(" is open").await;
        let text = self.stderr.text();
        let id = text.split_whitespace().rfind(|word| word.starts_with("live_")).unwrap();
        id.to_owned()
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
