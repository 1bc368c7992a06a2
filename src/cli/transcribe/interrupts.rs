//! The signals that stop the command.

use std::io;

use tokio::signal::unix::SignalKind;

use crate::app::signals::StopSignal;

/// A signal that stopped the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// Ctrl-C.
    CtrlC,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

impl Interrupt {
    /// Returns the exit status that shells give a process that such a signal ended.
    pub(super) const fn exit_status(self) -> u8 {
        match self {
            Self::CtrlC => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
    }
}

/// The signals, caught from [`Interrupts::catch`] on.
#[derive(Debug)]
pub(super) struct Interrupts {
    ctrl_c: StopSignal,
    terminate: StopSignal,
    /// None where the command is to outlive its terminal.
    hangup: Option<StopSignal>,
}

impl Interrupts {
    pub(super) fn catch() -> io::Result<Self> {
        Self::caught_by(StopSignal::catch)
    }

    /// Catches the signals after one of them stopped the command: the same one at the same moment does not count again.
    pub(super) fn catch_again() -> io::Result<Self> {
        Self::caught_by(StopSignal::catch_again)
    }

    fn caught_by(catch: impl Fn(SignalKind) -> io::Result<StopSignal>) -> io::Result<Self> {
        let hangup = if ends_at_hangup() { Some(catch(SignalKind::hangup())?) } else { None };
        Ok(Self { ctrl_c: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())?, hangup })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Interrupt {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.ctrl_c.recv() => Interrupt::CtrlC,
            () = self.terminate.recv() => Interrupt::Terminate,
            () = hangup => Interrupt::Hangup,
        }
    }
}

/// Returns true if SIGHUP is to end the process. `nohup` ignores it on behalf of the programs that it starts, which catching
/// it would undo; only Linux says whether that is so.
fn ends_at_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| !ignores_hangup(&status))
}

/// Reads from `/proc/self/status` whether SIGHUP, the first of the signals, is ignored.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_none_or(|set| u64::from_str_radix(set.trim(), 16).is_ok_and(|set| set & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_under_nohup_outlives_its_terminal() {
        assert!(ignores_hangup("Name:\tvoxgate\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("Name:\tvoxgate\nSigIgn:\t0000000000001000\n"));
    }
}
