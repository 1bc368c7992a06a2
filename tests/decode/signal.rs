//! Sounds made for tests.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small, and are meant to be rounded"
)]

/// A sound with the shape of speech: tones below 4 kHz that glide and swell in syllables, with pauses. Interleaved.
pub(crate) fn speech_like(rate: u32, channels: u32, seconds: f64) -> Vec<f32> {
    let count = (f64::from(rate) * seconds) as u32;
    let mut phases = [0.0_f64; 4];
    let mut samples = Vec::new();
    let mut noise = 0x1234_5678_u32;
    for at in 0..count {
        let time = f64::from(at) / f64::from(rate);
        let syllable = (time * 3.1 * std::f64::consts::TAU).sin().max(0.0);
        let phrase = if time % 2.7 > 2.2 { 0.0 } else { 1.0 };
        let base = 120.0 + 40.0 * (time * 0.7 * std::f64::consts::TAU).sin();
        let mut value = 0.0;
        for (index, phase) in phases.iter_mut().enumerate() {
            let tone = base * [1.0, 4.0, 11.0, 23.0][index];
            *phase += tone / f64::from(rate);
            value += (*phase * std::f64::consts::TAU).sin() * [0.3, 0.2, 0.1, 0.05][index];
        }
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f64::from(noise >> 16) / 65_536.0 - 0.5;
        let value = value * syllable * phrase + hiss * 0.0002;
        for channel in 0..channels {
            samples.push((value * (1.0 - 0.3 * f64::from(channel % 2))) as f32);
        }
    }
    samples
}

/// A WAV file of 16 bits and two channels.
pub(crate) fn wav(rate: u32, interleaved: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = interleaved.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()).collect();
    let size = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * 4).to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}
