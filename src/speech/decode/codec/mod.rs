//! Decoders of one track: packets become mono samples.
//!
//! - `decode`: the interface
//! - `opus`: Opus, straight to 16 kHz
//! - `pcm`: samples of every width
//! - `mpeg`, `flac`: codecs whose frames may change their rate, on symphonia's decoders
//! - `plain`: the other codecs of symphonia; `aac`: what an AAC decoder needs to know
//! - `symphonia`: one of symphonia's decoders

mod aac;
mod decode;
mod flac;
mod mpeg;
mod opus;
mod pcm;
mod plain;
mod symphonia;

pub(super) use decode::{Decode, Gapless, Undecoded};
pub(super) use pcm::PcmFormat;

use crate::intake::media::TrackParams;

/// Returns the decoder of a track, or the reason that there is none.
pub(super) fn decoder(params: &TrackParams) -> Result<Box<dyn Decode + Send>, Undecoded> {
    let codec = params.codec.as_ref().map_err(|_| Undecoded::Codec)?;
    match codec.name() {
        "opus" => Ok(Box::new(opus::Opus::new(&params.setup)?)),
        "mp3" => Ok(Box::new(mpeg::Mpeg::default())),
        "flac" => Ok(Box::new(flac::Flac::new(&params.setup))),
        "aac" => Ok(Box::new(plain::Plain::aac(params)?)),
        "vorbis" => Ok(Box::new(plain::Plain::vorbis(params)?)),
        "alac" => Ok(Box::new(plain::Plain::alac(params)?)),
        "adpcm_ms" | "adpcm_ima_wav" => Ok(Box::new(plain::Plain::adpcm(params)?)),
        _ => Ok(Box::new(pcm::Pcm::new(params)?)),
    }
}
