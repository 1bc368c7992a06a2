//! Helpers for the tests of this module.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Decodes a FLAC file, and checks what its head says against what it holds.
pub(super) fn decode_flac(file: &[u8]) -> Vec<i16> {
    let (samples, verified) = decode(file);
    assert_eq!(verified, Some(true), "the MD5 is that of the samples");
    samples
}

/// Decodes a WAV file, and checks what its head says against what it holds.
pub(super) fn decode_wav(file: &[u8]) -> Vec<i16> {
    decode(file).0
}

/// Decodes a file. Returns its samples, and whether they fit its checksum, if it has one.
fn decode(file: &[u8]) -> (Vec<i16>, Option<bool>) {
    let stream = MediaSourceStream::new(Box::new(Cursor::new(file.to_vec())), MediaSourceStreamOptions::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default()).unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let (params, frames) = (track.codec_params.as_ref().unwrap().audio().unwrap().clone(), track.num_frames);
    assert_eq!((params.sample_rate, params.channels.as_ref().unwrap().count()), (Some(16_000), 1));
    let options = AudioDecoderOptions::default().verify(true);
    let mut decoder = symphonia::default::get_codecs().make_audio_decoder(&params, &options).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::<i16>::new());
    while let Some(packet) = format.next_packet().unwrap() {
        decoder.decode(&packet).unwrap().copy_to_vec_interleaved(&mut block);
        samples.append(&mut block);
    }
    assert_eq!(frames, Some(samples.len().try_into().unwrap()));
    (samples, decoder.finalize().verify_ok)
}

/// Makes a sound that the detector takes for voice: a buzz of 120 Hz with the resonances of a vowel, that swells four
/// times a second.
#[allow(clippy::cast_possible_truncation, reason = "the value is clamped to what a sample holds")]
pub(super) fn voice(length: usize) -> Vec<i16> {
    let mut resonators = [(700.0, 130.0), (1220.0, 70.0), (2600.0, 160.0)].map(Resonator::new);
    let sample = |index: usize| {
        let time = f64::from(u32::try_from(index).unwrap()) / 16_000.0;
        let pitch = 120.0 + 20.0 * (time * 5.0).sin();
        let pulse = if (time * pitch).fract() < pitch / 16_000.0 { 1.0 } else { 0.0 };
        let sound: f64 = resonators.iter_mut().map(|resonator| resonator.next(pulse)).sum();
        let swell = 0.6 - 0.4 * (time * 8.0 * std::f64::consts::PI).cos();
        (sound * swell * 6000.0).clamp(-32_000.0, 32_000.0) as i16
    };
    (0..length).map(sample).collect()
}

struct Resonator {
    feedback: [f64; 2],
    past: [f64; 2],
}

impl Resonator {
    fn new((frequency, width): (f64, f64)) -> Self {
        let (radius, angle) =
            ((-std::f64::consts::PI * width / 16_000.0).exp(), std::f64::consts::TAU * frequency / 16_000.0);
        Self { feedback: [2.0 * radius * angle.cos(), -radius * radius], past: [0.0; 2] }
    }

    fn next(&mut self, input: f64) -> f64 {
        let output = input + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [output, self.past[0]];
        output
    }
}
