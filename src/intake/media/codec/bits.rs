//! Readers of bits from bytes.

/// A reader of bits from bytes, the highest bit first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The number of bits read.
    position: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Returns the number of bits read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Returns the number of bits left.
    pub(super) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// Returns the next 32 bits, padded with zeros at the end, without consuming them.
    #[inline]
    pub(super) fn peek(&self) -> u32 {
        let at = self.position / 8;
        let shift = self.position % 8;
        let rest = self.bytes.get(at..).unwrap_or_default();
        let eight = if let Some(&eight) = rest.first_chunk() {
            u64::from_be_bytes(eight)
        } else {
            let mut eight = [0; 8];
            eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(eight)
        };
        u32::try_from((eight << shift) >> 32).unwrap_or_default()
    }

    /// Skips `count` bits; `None` if fewer are left.
    #[inline]
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        let position = self.position.checked_add(count).filter(|&end| end <= self.bytes.len() * 8)?;
        self.position = position;
        Some(())
    }

    /// Skips `count` bits, or all remaining bits if fewer are left.
    pub(super) fn skip_at_most(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.bytes.len() * 8);
    }

    /// Returns the next `count` bits, at most 32.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let value = self.peek().checked_shr(32_u32.saturating_sub(count)).unwrap_or_default();
        self.skip(usize::try_from(count).ok()?)?;
        Some(value)
    }

    /// Returns the next bit.
    #[inline]
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// Skips the rest of the current byte.
    pub(super) fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }
}

/// A reader of bits from bytes, the lowest bit first, as in Vorbis (Vorbis I §2).
#[derive(Debug, Clone, Copy)]
pub(super) struct LowBits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> LowBits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Returns the number of bits left.
    pub(super) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// Skips `count` bits; `None` if fewer are left.
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        let position = self.position.checked_add(count).filter(|&end| end <= self.bytes.len() * 8)?;
        self.position = position;
        Some(())
    }

    /// Returns the next `count` bits, at most 32.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut eight = [0; 8];
        let rest = self.bytes.get(self.position / 8..).unwrap_or_default();
        eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let value = u64::from_le_bytes(eight) >> (self.position % 8);
        let mask = 1_u64.checked_shl(count).unwrap_or_default().wrapping_sub(1);
        self.skip(usize::try_from(count).ok()?)?;
        u32::try_from(value & mask).ok()
    }

    /// Returns the next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }
}

/// Packs `fields` into bytes, for tests. A field is a value and its number of bits, with the highest or the lowest bit
/// first.
#[cfg(test)]
pub(super) fn written(fields: &[(u32, u32)], lowest_first: bool) -> Vec<u8> {
    let bit = |value: u32, count: u32, at: u32| value >> (if lowest_first { at } else { count - 1 - at }) & 1;
    let bits: Vec<u32> =
        fields.iter().flat_map(|&(value, count)| (0..count).map(move |at| bit(value, count, at))).collect();
    let byte = |bits: &[u32]| {
        let place = |at: usize| if lowest_first { at } else { 7 - at };
        bits.iter().enumerate().map(|(at, bit)| u8::try_from(*bit).unwrap() << place(at)).sum()
    };
    bits.chunks(8).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_in_their_order() {
        let mut bits = Bits::new(&[0b1010_0101, 0xff, 0x00, 0x12, 0x34]);
        assert_eq!((bits.take(3), bits.take(5), bits.take(12)), (Some(0b101), Some(0b101), Some(0xff0)));
        assert_eq!((bits.take(20), bits.left(), bits.take(1)), (Some(0x01234), 0, None));
        let mut bits = LowBits::new(&[0b1010_0101, 0xff, 0x00]);
        assert_eq!((bits.take(3), bits.take(5), bits.take(9)), (Some(0b101), Some(0b10100), Some(0xff)));
        assert_eq!((bits.take(7), bits.take(1), bits.take(0)), (Some(0), None, Some(0)));
        assert_eq!(Bits::new(&[0xff; 8]).take(32), Some(u32::MAX));
        assert_eq!(LowBits::new(&[0xff; 8]).take(32), Some(u32::MAX));
    }
}
