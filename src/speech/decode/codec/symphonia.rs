//! One of symphonia's decoders.

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::decode::Undecoded;
use crate::speech::decode::mix::mix;

/// A decoder, and what it decoded last.
pub(super) struct Symphonia {
    decoder: Box<dyn AudioDecoder>,
    interleaved: Vec<f32>,
    rate: u32,
    last: u64,
}

impl Symphonia {
    pub(super) fn new(params: &AudioCodecParameters) -> Result<Self, Undecoded> {
        // Vorbis' first packet makes no sound of its own; without `gapless` it would.
        let options = AudioDecoderOptions::default().gapless(true).verify(false);
        let decoder = symphonia::default::get_codecs().make_audio_decoder(params, &options);
        let decoder = decoder.map_err(|_| Undecoded::Codec)?;
        Ok(Self { decoder, interleaved: Vec::new(), rate: 0, last: 0 })
    }

    /// Decodes a packet, which holds `duration` samples where the decoder needs that number.
    pub(super) fn decode(&mut self, packet: &[u8], duration: u64, mono: &mut Vec<f32>) -> Result<(), Undecoded> {
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(duration), packet);
        let decoded = match self.decoder.decode_ref(&packet) {
            Ok(decoded) => decoded,
            // What no packet before has used: the decoder lacks it, or the packet is no packet.
            Err(Error::Unsupported(_)) if self.rate == 0 => {
                return Err(Undecoded::Feature("has packets of a kind that cannot be decoded"));
            }
            Err(_) => return Err(Undecoded::Packet),
        };
        let from = mono.len();
        let channels = decoded.num_planes();
        self.rate = decoded.spec().rate();
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        mix(&self.interleaved, channels, mono);
        let samples = mono.get_mut(from..).unwrap_or_default();
        self.last = u64::try_from(samples.len()).unwrap_or_default();
        // Damage may decode to numbers that are none.
        samples.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
        Ok(())
    }

    /// Gives back the memory that nothing needs until another packet comes.
    pub(super) fn trim(&mut self) {
        self.interleaved = Vec::new();
    }

    /// Returns the number of samples a second of the last packet; 0 before the first.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns the number of samples of the last packet.
    pub(super) fn last(&self) -> u64 {
        self.last
    }
}
