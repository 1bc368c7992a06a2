//! FLAC of constant samples: a few bytes for each frame, however many samples it has.

/// The number of samples of the largest frame.
pub(crate) const LARGEST: u32 = 65_535;

/// The form of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) rate: u32,
    pub(crate) channels: u8,
}

/// The beginning of a file that states `samples` samples; 0 if it does not.
pub(crate) fn head(form: Form, samples: u64) -> Vec<u8> {
    let largest = u16::try_from(LARGEST).unwrap().to_be_bytes();
    let mut head = b"fLaC\x80\0\0\x22".to_vec();
    head.extend([largest, largest].concat());
    head.extend([0; 6]);
    // 20 bits of rate, 3 of channels, 5 of bits, 36 of samples.
    let packed = u64::from(form.rate) << 44 | u64::from(form.channels - 1) << 41 | 15 << 36 | samples;
    head.extend(packed.to_be_bytes());
    head.extend([0; 16]);
    head
}

/// The frame of this number, below 0xd800, of `samples` samples at `rate`; `None` for that of the file.
pub(crate) fn frame(form: Form, number: u32, samples: u32, rate: Option<u16>) -> Vec<u8> {
    let rate_code = if rate.is_some() { 13 } else { 0 };
    let mut frame = vec![0xff, 0xf8, 7 << 4 | rate_code, (form.channels - 1) << 4 | 4 << 1];
    let mut utf8 = [0; 4];
    frame.extend(char::from_u32(number).unwrap().encode_utf8(&mut utf8).as_bytes());
    frame.extend(u16::try_from(samples - 1).unwrap().to_be_bytes());
    frame.extend(rate.iter().flat_map(|rate| rate.to_be_bytes()));
    frame.push(u8::try_from(checksum(&frame, 8, 0x07)).unwrap());
    // A constant for each channel.
    (0..form.channels).for_each(|_| frame.extend([0, 0, 0]));
    let sum = checksum(&frame, 16, 0x8005);
    frame.extend(sum.to_be_bytes());
    frame
}

/// A file of `frames` frames of [`LARGEST`] samples.
pub(crate) fn zeros(form: Form, frames: u32) -> Vec<u8> {
    let mut file = head(form, u64::from(frames) * u64::from(LARGEST));
    (0..frames).for_each(|number| file.extend(frame(form, number, LARGEST, None)));
    file
}

/// A CRC of `bits` bits, as FLAC has them.
pub(crate) fn checksum(bytes: &[u8], bits: u32, polynomial: u32) -> u16 {
    let (top, mask) = (1 << (bits - 1), (1 << bits) - 1);
    let sum = bytes.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << (bits - 8)), |sum, _| {
            if sum & top == 0 { sum << 1 } else { (sum << 1) ^ polynomial }
        }) & mask
    });
    u16::try_from(sum).unwrap()
}
