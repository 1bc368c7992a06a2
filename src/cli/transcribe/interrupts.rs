//! The signals that stop the command.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that stopped the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// Ctrl-C.
    CtrlC,
    /// SIGTERM.
    Terminate,
}

impl Interrupt {
    /// Returns the exit status that shells give a process that such a signal ended.
    pub(super) const fn exit_status(self) -> u8 {
        match self {
            Self::CtrlC => 130,
            Self::Terminate => 143,
        }
    }
}

/// The signals, caught from [`Interrupts::catch`] on.
#[derive(Debug)]
pub(super) struct Interrupts {
    ctrl_c: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self { ctrl_c: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.ctrl_c.recv() => Interrupt::CtrlC,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}
