//! The clock of one track.

use super::super::{Container, MediaError};
use super::adpcm_layout::Layout;
use super::count::{Count, Wants};
use super::params::TrackParams;
use super::table::{Codec, Counting};
use super::{aac, ac3, adpcm, adts, alac, amr, dts, flac, mpeg, opus, pcm, speex, suspicion, tta, vorbis, wavpack};

/// A clock that counts the duration of one track's packets.
pub(in super::super) struct PacketClock {
    codec: Codec,
    count: Box<dyn Count + Send>,
}

impl PacketClock {
    /// Creates a clock for `params`, a track in `container`. Returns an error with the codec's name if the clock cannot
    /// count its time.
    pub(in super::super) fn new(params: &TrackParams, container: Container) -> Result<Self, MediaError> {
        let codec = params.codec.clone().map_err(|codec| MediaError::Codec { container, codec })?;
        let count = counter(codec, params, container).map_err(|codec| MediaError::Codec { container, codec })?;
        Ok(Self { codec, count })
    }

    /// Returns the codec of the track.
    pub(in super::super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Begins a packet of `size` bytes.
    pub(in super::super) fn begin(&mut self, size: u64) -> Wants {
        self.count.begin(size)
    }

    /// Reads the next bytes of the packet.
    pub(in super::super) fn bytes(&mut self, bytes: &[u8]) {
        self.count.bytes(bytes);
    }

    /// Skips the next bytes of the packet.
    pub(in super::super) fn unseen(&mut self, count: u64) {
        self.count.unseen(count);
    }

    /// Ends the packet.
    pub(in super::super) fn end(&mut self) {
        self.count.end();
    }

    /// Returns the total duration of the packets so far, in nanoseconds.
    pub(in super::super) fn played(&self) -> u64 {
        self.count.played()
    }

    /// Returns the number of bytes of the packets so far that belong to no frame found in them.
    pub(in super::super) fn stray(&self) -> u64 {
        self.count.stray()
    }

    /// Returns the minimum bit rate of this kind of sound, in bits a second, at which stray bytes count.
    pub(in super::super) fn min_bits_per_second(&self) -> u64 {
        self.codec.min_bits_per_second()
    }
}

/// Returns the counter for `codec`; the error is the name under which the codec is refused.
fn counter(codec: Codec, params: &TrackParams, container: Container) -> Result<Box<dyn Count + Send>, String> {
    Ok(match codec.counting() {
        // WAV has no packets, and players cut it at any byte, so codecs counted by a packet's first bytes cannot be
        // counted there.
        Counting::Opus | Counting::Vorbis | Counting::Speex | Counting::AmrNarrow | Counting::AmrWide
            if container == Container::Wav =>
        {
            return Err(codec.name().to_owned());
        }
        Counting::Adpcm(Layout::Flash) if container == Container::Wav => return Err(codec.name().to_owned()),
        Counting::Mpeg => Box::new(mpeg::Mpeg::default()),
        Counting::Aac if container == Container::Wav => Box::new(adts::AdtsStream::default()),
        Counting::Aac => Box::new(aac::Aac::new(params)?),
        Counting::Opus => Box::new(opus::Opus::default()),
        Counting::Vorbis => Box::new(vorbis::Vorbis::new(params)?),
        Counting::Flac => Box::new(flac::Flac::new(params)),
        Counting::Pcm { bits } => Box::new(pcm::Pcm::new(codec, bits, params)?),
        Counting::Adpcm(layout) => Box::new(adpcm::Adpcm::new(codec, layout, params)?),
        Counting::Ac3 => Box::new(ac3::Ac3::default()),
        Counting::Dts => Box::new(dts::Dts::default()),
        Counting::Alac => Box::new(alac::Alac::new(params)?),
        Counting::Speex => Box::new(speex::Speex::new(params)?),
        Counting::AmrNarrow => Box::new(amr::Amr::narrow()),
        Counting::AmrWide => Box::new(amr::Amr::wide()),
        Counting::WavPack => Box::new(wavpack::WavPack::new(params)),
        Counting::Tta => Box::new(tta::Tta::new(params)?),
        Counting::Disguised => Box::new(suspicion::Disguised::default()),
        Counting::AmongOthers { gaps } => Box::new(suspicion::AmongOthers::new(gaps)),
        Counting::Refused => return Err(codec.name().to_owned()),
    })
}
