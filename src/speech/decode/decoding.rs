//! The decoding of packets, wherever they come from.

use std::io;

use super::damage::{Damage, check_bound, check_length};
use super::effort::Effort;
use super::error::Reason;
use super::link::{Link, Shared};
use super::report::DecodeReport;
use crate::domain::{Length, thread_time};
use crate::intake::media::{Codec, PacketEvent};
use crate::speech::samples::Samples;

/// The number of samples from which a block is handed out.
const BLOCK: usize = 2048;
/// The number of steps through a recording in one call. A step reads some 100 KiB at most.
const MAX_STEPS: u32 = 8;
const NANOS_PER_MS: u128 = 1_000_000;

/// A source of packets.
pub(super) trait Packets {
    /// Returns the next of the events found so far.
    fn next(&mut self) -> Option<PacketEvent<'_>>;

    /// Reads a little further.
    fn advance(&mut self) -> Result<Advanced, Undone>;
}

/// The result of reading further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advanced {
    Read,
    Ended,
}

/// The reason that no block was decoded.
#[derive(Debug)]
pub(super) enum Undone {
    /// More bytes must come first.
    NotArrived,
    /// The source cannot be read.
    Io(io::Error),
    /// The recording is not understood.
    Refused(Reason),
}

impl From<Reason> for Undone {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// The state of a recording's decoding.
pub(super) struct Decoding {
    link: Option<Link>,
    shared: Shared,
    state: State,
    block: Vec<f32>,
    report: DecodeReport,
    codec: Option<Codec>,
    /// True if the recording is live: all that can be played is handed out before more bytes come, and nobody judges the
    /// whole at its end.
    is_live: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Frames may be left in the bytes of a stream.
    InStream,
    Packets,
    /// The recording is read, and frames may be left.
    AtEnd,
    Ended,
}

impl Decoding {
    /// Begins a recording, of whose length `measured` is known.
    pub(super) fn new(measured: Length) -> Self {
        Self {
            link: None,
            shared: Shared { measured, damage: Damage::default(), effort: Effort::default(), before: 0 },
            state: State::Packets,
            block: Vec::new(),
            report: DecodeReport::default(),
            codec: None,
            is_live: false,
        }
    }

    /// Begins a recording that is live, and no longer than `max`.
    pub(super) fn live(max: Length) -> Self {
        Self { is_live: true, ..Self::new(max) }
    }

    /// Decodes the next block, or returns `None` at the end.
    pub(super) fn next(&mut self, packets: &mut impl Packets) -> Result<Option<&[f32]>, Undone> {
        let begun = thread_time();
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let result = self.fill(packets, &mut block);
        self.block = block;
        self.report.samples = self.report.samples.saturating_add(count(self.block.len()));
        self.report.packets = self.shared.damage.packets();
        self.report.damaged = self.shared.damage.damaged();
        self.report.bridged = self.shared.damage.bridged();
        self.report.processor_time += thread_time().saturating_sub(begun);
        match result {
            // What was decoded before the source had no more.
            Err(Undone::NotArrived) if self.is_live && !self.block.is_empty() => {}
            result => result?,
        }
        Ok((self.state != State::Ended || !self.block.is_empty()).then_some(&self.block))
    }

    /// Takes the measurement of a recording that was begun by what its beginning claims.
    pub(super) fn measured(&mut self, length: Length) -> Result<(), Reason> {
        self.shared.measured = length;
        match self.state {
            State::Ended => check_length(ms(self.shared.before), length),
            _ => Ok(()),
        }
    }

    /// Returns the account of what was decoded so far.
    pub(super) fn report(&self) -> DecodeReport {
        self.report
    }

    /// Returns the codec of the last track, if it is known.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Gives back the memory that nothing needs until more bytes come.
    pub(super) fn trim(&mut self) {
        self.block = Vec::new();
        if let Some(link) = &mut self.link {
            link.trim();
        }
    }

    /// Decodes until `block` is full, or enough work is done.
    fn fill(&mut self, packets: &mut impl Packets, block: &mut Vec<f32>) -> Result<(), Undone> {
        let mut steps = 0;
        self.shared.effort.begin_call();
        while block.len() < BLOCK && steps < MAX_STEPS && !self.shared.effort.is_spent() && self.state != State::Ended {
            match self.state {
                State::InStream | State::AtEnd => {
                    let more = match &mut self.link {
                        Some(link) => link.next(&mut self.shared, block)?,
                        None => false,
                    };
                    match self.state {
                        _ if more => {}
                        State::AtEnd => self.conclude(block)?,
                        _ => self.state = State::Packets,
                    }
                }
                _ => {
                    if let Some(event) = packets.next() {
                        self.take(event, block)?;
                    } else {
                        steps += 1;
                        self.read_on(packets, block)?;
                    }
                }
            }
        }
        let decoded = self.shared.before + self.link.as_ref().map_or(0, Link::decoded);
        Ok(check_bound(ms(decoded), self.shared.measured)?)
    }

    fn read_on(&mut self, packets: &mut impl Packets, block: &mut Vec<f32>) -> Result<(), Undone> {
        match packets.advance() {
            Ok(Advanced::Read) => {}
            Ok(Advanced::Ended) => {
                if let Some(link) = &mut self.link {
                    link.end_stream();
                }
                self.state = State::AtEnd;
            }
            Err(Undone::NotArrived) if self.is_live => {
                if let Some(link) = &mut self.link {
                    link.play_stream(block);
                }
                return Err(Undone::NotArrived);
            }
            Err(undone) => return Err(undone),
        }
        Ok(())
    }

    fn conclude(&mut self, block: &mut Vec<f32>) -> Result<(), Reason> {
        self.state = State::Ended;
        if let Some(link) = self.link.take() {
            link.finish(&mut self.shared, block)?;
        }
        if self.is_live {
            return Ok(());
        }
        if self.report.samples == Samples::default() && block.is_empty() {
            return Err(Reason::NoSound);
        }
        self.shared.damage.conclude()?;
        check_length(ms(self.shared.before), self.shared.measured)
    }

    /// Takes an event, and the state after it.
    fn take(&mut self, event: PacketEvent<'_>, block: &mut Vec<f32>) -> Result<(), Reason> {
        let shared = &mut self.shared;
        if let PacketEvent::Track(params) = event {
            if let Some(mut before) = self.link.take() {
                before.end_stream();
                while before.next(shared, block)? {}
                before.finish(shared, block)?;
            }
            shared.effort.change(shared.before)?;
            self.codec = params.codec.as_ref().ok().copied();
            self.link = Some(Link::new(params, self.is_live)?);
            self.state = State::Packets;
            return Ok(());
        }
        self.state = State::Packets;
        let Some(link) = &mut self.link else { return Ok(()) };
        match event {
            PacketEvent::Track(_) => {}
            PacketEvent::Packet(packet) => link.packet(packet, shared, block)?,
            PacketEvent::Bytes(bytes) => {
                link.bytes(bytes)?;
                self.state = State::InStream;
            }
            PacketEvent::Cut => link.cut(shared, block)?,
            PacketEvent::EndsAt { granule, is_last, is_after_gap } => {
                link.ends_at(granule, is_last, is_after_gap, shared, block)?;
            }
            PacketEvent::Padding { nanos } => link.pad(nanos),
            PacketEvent::Delay { nanos } => link.delay(nanos),
            PacketEvent::Edits(parts) => link.edit(parts),
        }
        Ok(())
    }
}

fn count(samples: usize) -> Samples {
    Samples::new(u64::try_from(samples).unwrap_or(u64::MAX))
}

fn ms(nanos: u128) -> u64 {
    u64::try_from(nanos / NANOS_PER_MS).unwrap_or(u64::MAX)
}
