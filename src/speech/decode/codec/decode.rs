//! The interface of decoders.

/// A decoder of one track.
pub(in crate::speech::decode) trait Decode {
    /// Decodes a packet, and appends its samples to `mono`.
    fn decode(&mut self, packet: &[u8], mono: &mut Vec<f32>) -> Result<(), Undecoded>;

    /// Returns the number of samples a second of the last packet; 0 while it is unknown.
    fn rate(&self) -> u32;

    /// Returns the number of samples that a packet has which cannot be decoded; `None` stands for one that is lost.
    fn lost(&self, packet: Option<&[u8]>) -> u64;

    /// Takes the description of a stream that has begun with the last packet.
    fn begun(&mut self) -> Option<Gapless> {
        None
    }

    /// Returns true if the last packet had another form than the one before, so that it needed a decoder of its own.
    fn has_changed(&self) -> bool {
        false
    }

    /// Gives back the memory that nothing needs until another packet comes.
    fn trim(&mut self) {}

    /// Returns the number of samples a second in which the container counts positions, if it is not [`Decode::rate`].
    fn clock(&self) -> Option<u32> {
        None
    }
}

/// The parts of a stream that are to be played, in samples at its decoder's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::speech::decode) struct Gapless {
    /// The number of samples to leave out at the beginning.
    pub(in crate::speech::decode) skip: u64,
    /// The position of the end, if it is stated.
    pub(in crate::speech::decode) end: Option<u64>,
    /// The length of the packet that states this and holds no sound, in nanoseconds.
    pub(in crate::speech::decode) silent_nanos: u64,
}

/// The reason that a packet or a track is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::speech::decode) enum Undecoded {
    /// The packet is damaged.
    Packet,
    /// The codec is not supported.
    Codec,
    /// The codec is used in a way that is not supported.
    Feature(&'static str),
}
