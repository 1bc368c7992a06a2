//! Reading the packets of blocks.

use super::blocks::{self, BadBlock};
use super::demuxer::Matroska;
use super::doubts::MAX_PLAUSIBLE_BLOCK;
use super::ebml::Read;
use super::payload::{Payload, Receiver, Receivers};
use super::state::{Moved, State, first_id, own_id, part};
use super::tracks::Track;
use super::watch::to_u64;
use crate::intake::media::MediaError;
use crate::intake::media::codec::Wants;
use crate::intake::media::demux::{PacketSink, Timestamp};

impl Matroska {
    /// Reads the header of a block of `size` bytes.
    pub(super) fn block(
        &mut self,
        size: u64,
        window: &[u8],
        at_end: bool,
        sink: &mut dyn PacketSink,
    ) -> Result<Moved, MediaError> {
        let block = match blocks::parse(window, size) {
            Read::Whole(block, head) => block.map(|block| (block, head)),
            // The recording ends in the block.
            Read::Short if at_end => {
                self.state = State::Pass { left: size, junk: false };
                return Ok(Moved::By(0));
            }
            Read::Short => {
                // Begin with few bytes, since most blocks are not laced; then double the number each time.
                let needed = (2 * window.len()).clamp(64, blocks::MAX_HEAD + 1);
                return Ok(Moved::Needs(usize::try_from(size).map_or(needed, |size| needed.min(size))));
            }
            Read::Bad => Err(BadBlock::Lacing),
        };
        let block = block.and_then(|(block, head)| {
            let receivers = self.receivers(block.track, sink);
            receivers.map(|receivers| (block, head, receivers)).ok_or(BadBlock::NoTrack)
        });
        match block {
            Ok((block, head, receivers)) => {
                let receivers = receivers?;
                self.last_block = receivers.iter().flatten().find(|receiver| !receiver.is_first).map(|own| own.id);
                self.watch(window.get(..head).unwrap_or(window), window, self.at)?;
                let ticks = self.cluster_time.saturating_add(block.time.into());
                let time = Timestamp { ticks, numerator: self.scale, denominator: 1_000_000_000 };
                self.state = State::Packets(Payload {
                    sizes: block.packets,
                    last: block.last,
                    begun: 0,
                    left: 0,
                    end: self.at.saturating_add(size),
                    receivers,
                    time: Some(time),
                    is_huge: size > MAX_PLAUSIBLE_BLOCK,
                });
                Ok(Moved::By(head))
            }
            Err(BadBlock::NoTrack | BadBlock::Lacing) => {
                // ffmpeg continues after the header of the next cluster.
                self.doubts.lose();
                self.doubts.is_ahead = true;
                self.is_lost = true;
                self.state = State::Pass { left: size, junk: true };
                Ok(Moved::By(0))
            }
        }
    }

    /// Returns the receivers of the packets of a track; none if the track is not audio. `None`: the track is unknown.
    fn receivers(&mut self, number: u64, sink: &mut dyn PacketSink) -> Option<Result<Receivers, MediaError>> {
        let of = |track: &&Track| track.number == number;
        let own = self.tracks.iter().enumerate().filter(|(_, track)| of(track));
        let own = own.max_by_key(|(index, track)| (track.audio.is_some(), std::cmp::Reverse(*index)));
        let first = self.first.iter().enumerate().find(|(_, track)| of(track));
        if own.is_none() && first.is_none() {
            return None;
        }
        let receiver = |id, index, is_first| Some(Receiver { id, index, is_first, wants: 0 });
        let [mut mine, mut other] = [None, None];
        let own_audio = own.and_then(|(index, track)| Some((index, track.audio.as_ref()?)));
        if let Some((index, _)) = own_audio {
            mine = receiver(own_id(index), index, false);
        }
        if let Some((index, audio)) = first.and_then(|(index, track)| Some((index, track.audio.as_ref()?)))
            && !own_audio.is_some_and(|(_, own)| own.is_like(audio))
        {
            if let Some(used) = self.first_used.get_mut(index)
                && !std::mem::replace(used, true)
                && let Err(refused) = sink.track(first_id(index), &audio.params)
            {
                return Some(Err(refused));
            }
            other = receiver(first_id(index), index, true);
        }
        Some(Ok([mine, other]))
    }

    /// Processes the bytes of packets in the window.
    pub(super) fn packets(&mut self, window: &[u8], sink: &mut dyn PacketSink) -> Result<Moved, MediaError> {
        let State::Packets(mut payload) = std::mem::replace(&mut self.state, State::Element) else {
            return Ok(Moved::By(0));
        };
        let mut used = 0;
        loop {
            if payload.left == 0 && !payload.next(self, sink) {
                return Ok(Moved::By(used));
            }
            let shown = part(window.get(used..).unwrap_or_default(), payload.left);
            if shown.is_empty() {
                self.state = State::Packets(payload);
                return Ok(Moved::By(used));
            }
            let rest = window.get(used..).unwrap_or_default();
            let at = self.at.saturating_add(to_u64(used));
            if payload.is_huge
                && let Some(end) = self.cluster_in(shown, rest, at)?
            {
                let before = shown.get(..end).unwrap_or(shown);
                payload.receivers.iter_mut().flatten().for_each(|receiver| receiver.show(before, sink));
                let end_of_block = payload.end;
                self.give_up_block(payload, end_of_block, sink)?;
                return Ok(Moved::By(used + end));
            }
            if !payload.is_huge {
                self.watch(shown, rest, at)?;
            }
            payload.receivers.iter_mut().flatten().for_each(|receiver| receiver.show(shown, sink));
            payload.left -= to_u64(shown.len());
            used += shown.len();
            if payload.left == 0 {
                payload.receivers.iter().flatten().for_each(|receiver| sink.end(receiver.id));
            }
        }
    }
}

impl Payload {
    /// Begins the next packet of the block that is not empty. Returns `false` if there is none.
    fn next(&mut self, demuxer: &Matroska, sink: &mut dyn PacketSink) -> bool {
        self.empty(demuxer, sink);
        let Some(size) = self.size() else { return false };
        self.begin(size, demuxer, sink);
        true
    }

    /// Skips empty packets. A packet with a stripped header consists of that header.
    pub(super) fn empty(&mut self, demuxer: &Matroska, sink: &mut dyn PacketSink) {
        while self.left == 0 && self.size() == Some(0) {
            self.begin(0, demuxer, sink);
        }
    }

    fn begin(&mut self, size: u64, demuxer: &Matroska, sink: &mut dyn PacketSink) {
        self.begun += 1;
        self.left = size;
        let time = self.time.take();
        for receiver in self.receivers.iter_mut().flatten() {
            let stripped = demuxer.stripped(receiver);
            let whole = size.saturating_add(to_u64(stripped.len()));
            if whole == 0 {
                continue;
            }
            receiver.wants = match sink.begin(receiver.id, whole, time) {
                Wants::Nothing => 0,
                Wants::First(count) => count,
                Wants::Everything => usize::MAX,
            };
            receiver.show(stripped, sink);
            if size == 0 {
                sink.end(receiver.id);
            }
        }
    }
}

impl Matroska {
    fn stripped(&self, receiver: &Receiver) -> &[u8] {
        let tracks = if receiver.is_first { &self.first } else { &self.tracks };
        let audio = tracks.get(receiver.index).and_then(|track| track.audio.as_ref());
        audio.map(|audio| &audio.stripped[..]).unwrap_or_default()
    }
}
