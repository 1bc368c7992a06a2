//! Pages of Ogg.

/// The granule of a page that states none.
pub(crate) const NONE: u64 = u64::MAX;

/// The bytes of pages, each with some packets of less than 255 bytes.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) bytes: Vec<u8>,
    /// The number of the next page.
    pub(crate) number: u32,
}

impl Pages {
    pub(crate) fn add(&mut self, flags: u8, granule: u64, packets: &[&[u8]]) {
        let mut page = [&b"OggS\0"[..], &[flags], &granule.to_le_bytes(), &7_u32.to_le_bytes()].concat();
        page.extend(self.number.to_le_bytes());
        page.extend([0; 4]);
        page.push(u8::try_from(packets.len()).unwrap());
        page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap()));
        page.extend(packets.concat());
        let sum = page.iter().fold(0_u32, |sum, byte| {
            (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| (sum << 1) ^ ((sum >> 31) * 0x04c1_1db7))
        });
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        self.bytes.extend(page);
        self.number += 1;
    }

    /// The beginning of mono Opus.
    pub(crate) fn opus() -> Self {
        let mut pages = Self::default();
        pages.add(2, 0, &[b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"]);
        pages.add(0, 0, &[b"OpusTags\0\0\0\0\0\0\0\0"]);
        pages
    }
}
