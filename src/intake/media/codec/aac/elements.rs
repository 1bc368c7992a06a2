//! The elements of a block without sound (ISO/IEC 14496-3 §4.4.2.1).

use super::super::bits::Bits;

/// Reads a `data_stream_element`.
pub(super) fn data_stream(bits: &mut Bits<'_>) -> Option<()> {
    let aligned = bits.flag()?;
    let mut count = bits.take(8)?;
    if count == 255 {
        count += bits.take(8)?;
    }
    if aligned {
        bits.align();
    }
    bits.skip(usize::try_from(count).ok()? * 8)
}

/// Reads a `program_config_element`.
pub(super) fn program_config(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(2 + 4)?;
    let mut elements = 0;
    for _ in 0..3 {
        elements += bits.take(4)?;
    }
    let (low, data, coupling) = (bits.take(2)?, bits.take(3)?, bits.take(4)?);
    for mixdown in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(mixdown)?;
        }
    }
    bits.skip(usize::try_from(5 * (elements + coupling) + 4 * (low + data)).ok()?)?;
    bits.align();
    let comment = bits.take(8)?;
    bits.skip(usize::try_from(comment).ok()? * 8)
}
