//! The interface of the counters of packets.

/// The bytes of a packet that its clock needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Wants {
    /// No bytes: the packet's size suffices.
    Nothing,
    /// The first bytes, up to this number.
    First(usize),
    /// All bytes.
    Everything,
}

/// A counter of the packets of one codec. [`PacketClock`](super::PacketClock) documents the calls.
pub(super) trait Count {
    fn begin(&mut self, size: u64) -> Wants;
    fn bytes(&mut self, _bytes: &[u8]) {}
    fn unseen(&mut self, _count: u64) {}
    fn end(&mut self) {}
    fn played(&self) -> u64;
    fn stray(&self) -> u64 {
        0
    }
}

/// The first bytes of a packet, at most `N`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<const N: usize> {
    bytes: [u8; N],
    count: usize,
}

impl<const N: usize> Default for Head<N> {
    fn default() -> Self {
        Self { bytes: [0; N], count: 0 }
    }
}

impl<const N: usize> Head<N> {
    /// Begins another packet, and returns the bytes of it that are needed.
    pub(super) fn clear(&mut self) -> Wants {
        self.count = 0;
        Wants::First(N)
    }

    /// Takes the next bytes of the packet, as far as they are needed.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.count..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        free.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.count += count;
    }

    /// Returns the first bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

/// Runs packets through a counter, in pieces of seven bytes. Returns their duration in milliseconds.
#[cfg(test)]
pub(super) fn play<'a>(count: &mut dyn Count, packets: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    for packet in packets {
        let wanted = match count.begin(packet.len().try_into().unwrap()) {
            Wants::Nothing => 0,
            Wants::First(bytes) => bytes.min(packet.len()),
            Wants::Everything => packet.len(),
        };
        packet[..wanted].chunks(7).for_each(|piece| count.bytes(piece));
        count.unseen((packet.len() - wanted).try_into().unwrap());
        count.end();
    }
    count.played() / 1_000_000
}
