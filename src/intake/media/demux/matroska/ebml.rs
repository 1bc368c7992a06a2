//! EBML: the encoding of ids, sizes and numbers in Matroska (RFC 8794).

/// Ids with their marker bits, as in the file (RFC 9559 §5, RFC 8794 §11).
pub(super) mod id {
    pub(in super::super) const EBML: u32 = 0x1a45_dfa3;
    pub(in super::super) const VOID: u32 = 0xec;
    pub(in super::super) const CRC: u32 = 0xbf;

    pub(in super::super) const SEGMENT: u32 = 0x1853_8067;
    pub(in super::super) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(in super::super) const INFO: u32 = 0x1549_a966;
    pub(in super::super) const TRACKS: u32 = 0x1654_ae6b;
    pub(in super::super) const CLUSTER: u32 = 0x1f43_b675;
    pub(in super::super) const CUES: u32 = 0x1c53_bb6b;
    pub(in super::super) const ATTACHMENTS: u32 = 0x1941_a469;
    pub(in super::super) const CHAPTERS: u32 = 0x1043_a770;
    pub(in super::super) const TAGS: u32 = 0x1254_c367;

    pub(in super::super) const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
    pub(in super::super) const DURATION: u32 = 0x4489;
    pub(in super::super) const SEEK: u32 = 0x4dbb;
    pub(in super::super) const SEEK_ID: u32 = 0x53ab;
    pub(in super::super) const SEEK_POSITION: u32 = 0x53ac;

    pub(in super::super) const TRACK_ENTRY: u32 = 0xae;
    pub(in super::super) const TRACK_NUMBER: u32 = 0xd7;
    pub(in super::super) const CODEC_ID: u32 = 0x86;
    pub(in super::super) const CODEC_PRIVATE: u32 = 0x63a2;
    pub(in super::super) const CODEC_DELAY: u32 = 0x56aa;
    pub(in super::super) const AUDIO: u32 = 0xe1;
    pub(in super::super) const SAMPLING_FREQUENCY: u32 = 0xb5;
    pub(in super::super) const OUTPUT_SAMPLING_FREQUENCY: u32 = 0x78b5;
    pub(in super::super) const CHANNELS: u32 = 0x9f;
    pub(in super::super) const BIT_DEPTH: u32 = 0x6264;
    pub(in super::super) const CONTENT_ENCODINGS: u32 = 0x6d80;
    pub(in super::super) const CONTENT_ENCODING: u32 = 0x6240;
    pub(in super::super) const ENCODING_SCOPE: u32 = 0x5032;
    pub(in super::super) const ENCODING_TYPE: u32 = 0x5033;
    pub(in super::super) const COMPRESSION: u32 = 0x5034;
    pub(in super::super) const COMPRESSION_ALGORITHM: u32 = 0x4254;
    pub(in super::super) const COMPRESSION_SETTINGS: u32 = 0x4255;

    pub(in super::super) const TIMESTAMP: u32 = 0xe7;
    pub(in super::super) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(in super::super) const BLOCK_GROUP: u32 = 0xa0;
    pub(in super::super) const SILENT_TRACKS: u32 = 0x5854;
    pub(in super::super) const POSITION: u32 = 0xa7;
    pub(in super::super) const PREVIOUS_SIZE: u32 = 0xab;
    pub(in super::super) const BLOCK: u32 = 0xa1;
    pub(in super::super) const BLOCK_ADDITIONS: u32 = 0x75a1;
    pub(in super::super) const BLOCK_DURATION: u32 = 0x9b;
    pub(in super::super) const REFERENCE_BLOCK: u32 = 0xfb;
    pub(in super::super) const REFERENCE_PRIORITY: u32 = 0xfa;
    pub(in super::super) const DISCARD_PADDING: u32 = 0x75a2;
    pub(in super::super) const CODEC_STATE: u32 = 0xa4;
}

/// The ids of a segment's children.
pub(super) const TOP_LEVEL: [u32; 8] =
    [id::CLUSTER, id::TRACKS, id::INFO, id::CUES, id::TAGS, id::SEEK_HEAD, id::ATTACHMENTS, id::CHAPTERS];

/// Returns true if `id` is a child of a segment.
pub(super) fn is_top_level(id: u32) -> bool {
    TOP_LEVEL.contains(&id)
}

/// The maximum size of an element header: an id of four bytes and a size of eight.
pub(super) const MAX_HEAD: usize = 12;

/// The result of reading a value at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// The value and the number of its bytes.
    Whole(T, usize),
    /// A value that needs more bytes.
    Short,
    /// An invalid value.
    Bad,
}

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u32,
    /// The size of the content. `None`: unknown; the element ends before the first element that cannot be in it.
    pub(super) size: Option<u64>,
}

/// Reads a number of variable length, at most `longest` bytes, without its marker bit (RFC 8794 §4).
pub(super) fn number(bytes: &[u8], longest: u32) -> Read<u64> {
    let Some(&first) = bytes.first() else { return Read::Short };
    let more = first.leading_zeros();
    if more >= longest {
        return Read::Bad;
    }
    let length = usize::try_from(more).unwrap_or_default() + 1;
    let Some(rest) = bytes.get(1..length) else { return Read::Short };
    let marked = u64::from(first) & (0x7f_u64 >> more);
    Read::Whole(rest.iter().fold(marked, |value, byte| value << 8 | u64::from(*byte)), length)
}

/// Reads the size of an element. All bits set means "unknown" (RFC 8794 §6.2).
pub(super) fn size(bytes: &[u8]) -> Read<Option<u64>> {
    match number(bytes, 8) {
        Read::Whole(value, length) => {
            let unknown = (1_u64 << (7 * length)) - 1;
            Read::Whole(Some(value).filter(|value| *value != unknown), length)
        }
        Read::Short => Read::Short,
        Read::Bad => Read::Bad,
    }
}

/// Reads the header of an element, without the id if `known` holds it.
pub(super) fn head(bytes: &[u8], known: Option<u32>) -> Read<Head> {
    let (id, length) = match known.map_or_else(|| number(bytes, 4), |id| Read::Whole(id.into(), 0)) {
        Read::Whole(id, 0) => (id, 0),
        Read::Whole(value, length) => (value | 1_u64 << (7 * length), length),
        Read::Short => return Read::Short,
        Read::Bad => return Read::Bad,
    };
    match size(bytes.get(length..).unwrap_or_default()) {
        Read::Whole(size, more) => Read::Whole(Head { id: u32::try_from(id).unwrap_or_default(), size }, length + more),
        Read::Short => Read::Short,
        Read::Bad => Read::Bad,
    }
}

/// Reads an unsigned integer of at most eight bytes (RFC 8794 §7.2).
pub(super) fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Reads a signed integer of at most eight bytes (RFC 8794 §7.1).
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let sign = bytes.first().map_or(0, |first| i64::from(first.cast_signed() >> 7));
    bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte))
}

/// Reads a float of four or eight bytes (RFC 8794 §7.3) as a rate, without its fraction. `None` if there is no float, and for
/// a number that ffmpeg does not accept as a rate: it is negative, too large, or none.
pub(super) fn rate(bytes: &[u8]) -> Option<u32> {
    let value = match (<[u8; 4]>::try_from(bytes), <[u8; 8]>::try_from(bytes)) {
        (Ok(bytes), _) => f64::from(f32::from_be_bytes(bytes)),
        (_, Ok(bytes)) => f64::from_be_bytes(bytes),
        _ => return None,
    };
    (0.0..=f64::from(i32::MAX)).contains(&value).then(|| truncated(value))
}

/// Returns `value` without its fraction, computed from its bits because casts are not allowed here; 0 if `value` is negative,
/// not a number or too large.
fn truncated(value: f64) -> u32 {
    if !(1.0..4_294_967_296.0).contains(&value) {
        return 0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52).saturating_sub(1023);
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    u32::try_from(mantissa >> 52_u64.saturating_sub(exponent)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read() {
        assert_eq!(number(&[0x81], 8), Read::Whole(1, 1));
        assert_eq!(number(&[0x40, 0x7f], 8), Read::Whole(127, 2));
        assert_eq!(number(&[0x01, 0, 0, 0, 0, 0, 1, 2], 8), Read::Whole(258, 8));
        assert_eq!(number(&[0x40], 8), Read::Short);
        assert_eq!(number(&[], 8), Read::Short);
        assert_eq!(number(&[0x00, 1], 8), Read::Bad);
        assert_eq!(number(&[0x08, 0, 0, 0, 1], 4), Read::Bad);
    }

    #[test]
    fn a_size_of_ones_is_unknown_in_every_length() {
        for length in 1..=8_usize {
            let mut bytes = [0xff_u8; 8];
            bytes[0] = 0xff >> (length - 1);
            assert_eq!(size(&bytes[..length]), Read::Whole(None, length));
        }
        assert_eq!(
            head(&[0x1f, 0x43, 0xb6, 0x75, 0x85], None),
            Read::Whole(Head { id: id::CLUSTER, size: Some(5) }, 5)
        );
        assert_eq!(head(&[0xff], Some(id::CLUSTER)), Read::Whole(Head { id: id::CLUSTER, size: None }, 1));
    }

    #[test]
    fn rates_are_whole_numbers() {
        assert_eq!(rate(&44_100.0_f32.to_be_bytes()), Some(44_100));
        assert_eq!(rate(&22_050.7_f64.to_be_bytes()), Some(22_050));
        assert_eq!(rate(&1.0_f64.to_be_bytes()), Some(1));
        assert_eq!(rate(&2_147_483_647.0_f64.to_be_bytes()), Some(2_147_483_647));
        assert_eq!((rate(&0.0_f64.to_be_bytes()), rate(&0.5_f64.to_be_bytes())), (Some(0), Some(0)));
        for odd in [-1.0, f64::NAN, f64::INFINITY, 1e300, 2_147_483_648.0] {
            assert_eq!(rate(&odd.to_be_bytes()), None);
        }
        assert_eq!(rate(&[1, 2, 3]), None);
    }
}
