//! The rule about damage: how much of a recording may be bridged by silence.

use super::error::Reason;
use crate::domain::Length;
use crate::speech::samples::Samples;

/// The longest damage in a row.
const MAX_RUN: Samples = Samples::from_ms(10_000);
/// The share of damaged packets is one in this many at most.
const ONE_IN: u64 = 50;
/// A length may differ from the measured one by this much, or by one part in [`ONE_IN`], whichever is more.
const TOLERANCE_MS: u64 = 1000;

/// The damage of a recording so far.
#[derive(Debug, Default)]
pub(super) struct Damage {
    packets: u64,
    damaged: u64,
    bridged: Samples,
    /// The damage in a row up to now.
    run: Samples,
}

impl Damage {
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    pub(super) fn bridged(&self) -> Samples {
        self.bridged
    }

    /// Counts a good packet.
    pub(super) fn good(&mut self) {
        self.packets += 1;
        self.run = Samples::default();
    }

    /// Counts `packets` damaged packets, which last `length` together. `measured` is the length of the whole recording.
    pub(super) fn bad(&mut self, packets: u64, length: Samples, measured: Length) -> Result<(), Reason> {
        self.packets = self.packets.saturating_add(packets);
        self.damaged = self.damaged.saturating_add(packets);
        self.bridged = self.bridged.saturating_add(length);
        self.run = self.run.saturating_add(length);
        // What the rule refuses at the end is refused at once, before pieces of it are sent.
        let allowed = Samples::from_ms(measured.upper_bound().get() / ONE_IN + TOLERANCE_MS / 10);
        if self.run > MAX_RUN || self.bridged > allowed { Err(Reason::Damaged) } else { Ok(()) }
    }

    /// Judges the damage of the whole recording.
    pub(super) fn conclude(&self) -> Result<(), Reason> {
        if self.damaged.saturating_mul(ONE_IN) > self.packets { Err(Reason::Damaged) } else { Ok(()) }
    }
}

/// Checks the decoded length of the whole recording, before anything was cut off.
pub(super) fn check_length(decoded_ms: u64, measured: Length) -> Result<(), Reason> {
    check_bound(decoded_ms, measured)?;
    let Some(measured) = measured.measured() else { return Ok(()) };
    let measured_ms = measured.get();
    let missing = measured_ms.saturating_sub(decoded_ms);
    if missing > TOLERANCE_MS && missing > measured_ms / ONE_IN {
        return Err(Reason::TooShort { decoded_ms, measured_ms });
    }
    Ok(())
}

/// Checks that no more is decoded than was measured, and charged.
pub(super) fn check_bound(decoded_ms: u64, measured: Length) -> Result<(), Reason> {
    let measured_ms = measured.upper_bound().get();
    let more = decoded_ms.saturating_sub(measured_ms);
    if more > TOLERANCE_MS && more > measured_ms / ONE_IN { Err(Reason::TooLong { measured_ms }) } else { Ok(()) }
}
