//! The reader of a recording's sound.

use std::io::{ErrorKind, Read, Seek};

use super::damage::{Damage, check_bound, check_length};
use super::effort::Effort;
use super::error::{Reason, SoundError};
use super::link::{Link, Shared};
use super::report::DecodeReport;
use crate::domain::thread_time;
use crate::intake::SpoolSource;
use crate::intake::media::{MediaError, MediaInfo, PacketEvent, PacketReader};
use crate::speech::samples::Samples;

/// The number of samples from which a block is handed out.
const BLOCK: usize = 2048;
/// The number of steps through a recording in one call. A step reads some 100 KiB at most.
const MAX_STEPS: u32 = 8;
const NANOS_PER_MS: u128 = 1_000_000;

/// A recording, decoded in a stream: blocks of 16 kHz mono samples, from first to last.
///
/// It plays the first audio track, as players do, from the first packet to the last: priming and padding are cut off where the
/// container or the codec states them, so a sample's index is its time. Channels are mixed to their mean. Damaged packets are
/// bridged by silence of their length. Memory is bounded, whatever the recording.
pub struct SoundReader<S = SpoolSource> {
    packets: PacketReader<S>,
    info: MediaInfo,
    link: Option<Link>,
    shared: Shared,
    state: State,
    block: Vec<f32>,
    report: DecodeReport,
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

impl<S: Read + Seek> SoundReader<S> {
    /// Opens the recording in `source`, which intake measured as `info`. Of a recording that is still arriving, `info` is what its
    /// beginning claims; after [`SoundError::NotArrived`] it can be opened once more bytes have come.
    pub fn open(source: S, info: &MediaInfo) -> Result<Self, SoundError> {
        let packets =
            PacketReader::open(source, info.container, info.bytes).map_err(|error| media_error(info, error))?;
        Ok(Self {
            packets,
            info: *info,
            link: None,
            shared: Shared { measured: info.length, damage: Damage::default(), effort: Effort::default(), before: 0 },
            state: State::Packets,
            block: Vec::new(),
            report: DecodeReport::default(),
        })
    }

    /// Returns the next block, or `None` at the end. A block has a few thousand samples, rarely more than those of one packet,
    /// or of a bridged gap of ten seconds, and may be empty: then the call has passed over bytes without sound. A call does
    /// little work, whatever the recording. After [`SoundError::NotArrived`] this can be called
    /// again; any other error is final.
    #[expect(clippy::should_implement_trait, reason = "a block borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<&[f32]>, SoundError> {
        let begun = thread_time();
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let result = self.fill(&mut block);
        self.block = block;
        self.report.samples = self.report.samples.saturating_add(count(self.block.len()));
        self.report.packets = self.shared.damage.packets();
        self.report.damaged = self.shared.damage.damaged();
        self.report.bridged = self.shared.damage.bridged();
        self.report.processor_time += thread_time().saturating_sub(begun);
        result?;
        Ok((self.state != State::Ended || !self.block.is_empty()).then_some(&self.block))
    }

    /// Takes the measurement of a recording that was opened by what its beginning claims.
    pub fn measured(&mut self, info: &MediaInfo) -> Result<(), SoundError> {
        (self.info, self.shared.measured) = (*info, info.length);
        match self.state {
            State::Ended => check_length(ms(self.shared.before), info.length).map_err(|why| refused(info, why)),
            _ => Ok(()),
        }
    }

    /// Returns the account of what was decoded so far.
    pub fn report(&self) -> DecodeReport {
        self.report
    }

    /// Decodes until `block` is full, or enough work is done.
    fn fill(&mut self, block: &mut Vec<f32>) -> Result<(), SoundError> {
        let mut steps = 0;
        self.shared.effort.begin_call();
        while block.len() < BLOCK && steps < MAX_STEPS && !self.shared.effort.is_spent() && self.state != State::Ended {
            match self.state {
                State::InStream | State::AtEnd => {
                    let more = match &mut self.link {
                        Some(link) => link.next(&mut self.shared, block).map_err(|why| refused(&self.info, why))?,
                        None => false,
                    };
                    match self.state {
                        _ if more => {}
                        State::AtEnd => self.conclude(block)?,
                        _ => self.state = State::Packets,
                    }
                }
                _ => {
                    if let Some(event) = self.packets.next() {
                        let taken = take(event, &mut self.link, &mut self.shared, block);
                        self.state = taken.map_err(|why| refused(&self.info, why))?;
                    } else {
                        steps += 1;
                        self.read_on()?;
                    }
                }
            }
        }
        let decoded = self.shared.before + self.link.as_ref().map_or(0, Link::decoded);
        check_bound(ms(decoded), self.info.length).map_err(|why| refused(&self.info, why))
    }

    fn read_on(&mut self) -> Result<(), SoundError> {
        let more = self.packets.advance().map_err(|error| media_error(&self.info, error))?;
        if !more && !self.packets.has_events() {
            if let Some(link) = &mut self.link {
                link.end_stream();
            }
            self.state = State::AtEnd;
        }
        Ok(())
    }

    fn conclude(&mut self, block: &mut Vec<f32>) -> Result<(), SoundError> {
        self.state = State::Ended;
        let info = self.info;
        let refuse = |why| refused(&info, why);
        if let Some(link) = self.link.take() {
            link.finish(&mut self.shared, block).map_err(refuse)?;
        }
        if self.report.samples == Samples::default() && block.is_empty() {
            return Err(refuse(Reason::NoSound));
        }
        self.shared.damage.conclude().map_err(refuse)?;
        check_length(ms(self.shared.before), self.info.length).map_err(refuse)
    }
}

/// Takes an event, and returns the state after it.
fn take(
    event: PacketEvent<'_>,
    link: &mut Option<Link>,
    shared: &mut Shared,
    block: &mut Vec<f32>,
) -> Result<State, Reason> {
    if let PacketEvent::Track(params) = event {
        if let Some(mut before) = link.take() {
            before.end_stream();
            while before.next(shared, block)? {}
            before.finish(shared, block)?;
        }
        shared.effort.change(shared.before)?;
        *link = Some(Link::new(params)?);
        return Ok(State::Packets);
    }
    let Some(link) = link else { return Ok(State::Packets) };
    match event {
        PacketEvent::Track(_) => {}
        PacketEvent::Packet(packet) => link.packet(packet, shared, block)?,
        PacketEvent::Bytes(bytes) => {
            link.bytes(bytes)?;
            return Ok(State::InStream);
        }
        PacketEvent::Cut => link.cut(shared, block)?,
        PacketEvent::EndsAt { granule, is_last, is_after_gap } => {
            link.ends_at(granule, is_last, is_after_gap, shared, block)?;
        }
        PacketEvent::Padding { nanos } => link.pad(nanos),
        PacketEvent::Delay { nanos } => link.delay(nanos),
        PacketEvent::Edits(parts) => link.edit(parts),
    }
    Ok(State::Packets)
}

fn refused(info: &MediaInfo, reason: Reason) -> SoundError {
    let codec = info.codec.map_or("unknown", |codec| codec.name()).to_owned();
    SoundError::NotUnderstood { container: info.container, codec, reason }
}

fn media_error(info: &MediaInfo, error: MediaError) -> SoundError {
    match error {
        MediaError::Read(error) if error.kind() == ErrorKind::WouldBlock => SoundError::NotArrived,
        MediaError::Read(error) => SoundError::Io(error),
        other => refused(info, Reason::Container(other)),
    }
}

fn count(samples: usize) -> Samples {
    Samples::new(u64::try_from(samples).unwrap_or(u64::MAX))
}

fn ms(nanos: u128) -> u64 {
    u64::try_from(nanos / NANOS_PER_MS).unwrap_or(u64::MAX)
}
