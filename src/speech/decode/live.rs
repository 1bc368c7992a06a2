//! The reader of the sound of a live recording.

use super::decoding::{Advanced, Decoding, Packets, Undone};
use super::error::Reason;
use super::report::DecodeReport;
use crate::domain::{AudioMs, Length};
use crate::intake::media::{Codec, Container, LiveMediaError, LivePackets, LiveStep, PacketEvent};

/// A live recording, decoded as far as its bytes have come, as [`SoundReader`](super::SoundReader) decodes one that is whole.
pub(in crate::speech) struct LiveReader {
    packets: LivePackets,
    decoding: Decoding,
}

/// The next of a live recording's sound.
#[derive(Debug)]
pub(in crate::speech) enum LiveBlock<'a> {
    /// Samples of 16 kHz, perhaps none.
    Samples(&'a [f32]),
    /// More bytes must come first.
    Starved,
    /// The recording has ended.
    Ended,
}

impl LiveReader {
    /// Begins a recording that is no longer than `max`.
    pub(in crate::speech) fn new(packets: LivePackets, max: AudioMs) -> Self {
        Self { packets, decoding: Decoding::live(Length::AtMost(max)) }
    }

    /// Returns the packets, to try out on a clone whether bytes continue the recording.
    pub(in crate::speech) fn packets(&self) -> &LivePackets {
        &self.packets
    }

    /// Takes the next bytes.
    pub(in crate::speech) fn push(&mut self, bytes: &[u8]) {
        self.packets.push(bytes);
    }

    /// Ends the recording.
    pub(in crate::speech) fn end(&mut self) {
        self.packets.end();
    }

    /// Decodes the next block. A call does little work, whatever the recording. An error is final.
    pub(in crate::speech) fn next(&mut self) -> Result<LiveBlock<'_>, Reason> {
        match self.decoding.next(&mut self.packets) {
            Ok(Some(samples)) => Ok(LiveBlock::Samples(samples)),
            Ok(None) => Ok(LiveBlock::Ended),
            Err(Undone::Refused(reason)) => Err(reason),
            // The bytes are in memory, so nothing fails to be read.
            Err(Undone::NotArrived | Undone::Io(_)) => Ok(LiveBlock::Starved),
        }
    }

    /// Returns the container and the codec, once the container is known and if there is one.
    pub(in crate::speech) fn media(&self) -> Option<(Container, Option<Codec>)> {
        self.packets.container().map(|container| (container, self.decoding.codec()))
    }

    /// Returns the account of what was decoded so far.
    pub(in crate::speech) fn report(&self) -> DecodeReport {
        self.decoding.report()
    }

    /// Gives back the memory that nothing needs until more bytes come.
    pub(in crate::speech) fn trim(&mut self) {
        self.packets.trim();
        self.decoding.trim();
    }
}

impl Packets for LivePackets {
    fn next(&mut self) -> Option<PacketEvent<'_>> {
        Self::next(self)
    }

    fn advance(&mut self) -> Result<Advanced, Undone> {
        match Self::advance(self) {
            Ok(_) if self.has_events() => Ok(Advanced::Read),
            Ok(LiveStep::Read) => Ok(Advanced::Read),
            Ok(LiveStep::Starved) => Err(Undone::NotArrived),
            Ok(LiveStep::Ended) => Ok(Advanced::Ended),
            // What players might make of the bytes at the end does not matter: what is decoded is what is charged.
            Err(_) if self.is_ended() => Ok(Advanced::Ended),
            Err(LiveMediaError::Container(error)) => Err(Undone::Refused(Reason::Container(error))),
            Err(_) => Err(Undone::Refused(Reason::Feature("has bytes that do not continue it"))),
        }
    }
}
