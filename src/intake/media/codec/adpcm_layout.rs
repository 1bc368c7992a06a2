//! The layouts of ADPCM and of other codecs whose packets follow from their size.

/// The layout of the samples in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Layout {
    /// Blocks with a head of 7 bytes for each channel, which holds two samples, and 4 bits for each further sample.
    Microsoft,
    /// Blocks with a head of 4 bytes for each channel, which holds one sample, and groups of 2 to 5 bits for each
    /// further sample.
    ImaWav,
    /// Blocks of 34 bytes for each channel, which hold 64 samples (Apple TN1081).
    ImaQuickTime,
    /// 4 bits for each sample.
    Nibbles,
    /// Up to 4096 samples after a head of 22 bits for each channel; 2 to 5 bits for each sample, as the first two bits
    /// state.
    Flash,
    /// 4 bits for each sample, one channel (ITU-T G.722 at 64 kbit/s).
    G722,
    /// 2 to 5 bits for each sample, one channel.
    G726,
    /// 33 bytes for 160 samples (GSM 06.10).
    Gsm,
    /// 65 bytes for 320 samples, or fewer bytes if the container says so.
    GsmMicrosoft,
    /// 2 bytes for 6 samples, for each channel.
    Mace3,
    /// 1 byte for 6 samples, for each channel.
    Mace6,
}
