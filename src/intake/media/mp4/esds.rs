//! Elementary stream descriptors (ISO/IEC 14496-1 §7.2.6), which name the actual codec of an `mp4a` track.

use super::boxes::Fields;

const ES_DESCRIPTOR: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC: u8 = 5;

/// The content of an `esds` box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Esds {
    /// The object type of the stream (ISO/IEC 14496-1 table 5).
    pub(super) object_type: u8,
    /// The configuration of the codec: an `AudioSpecificConfig` for AAC.
    pub(super) setup: Option<Vec<u8>>,
}

/// Returns the codec's configuration in the descriptors `content`, as other containers hold them.
pub(in crate::intake::media) fn decoder_setup(content: &[u8]) -> Option<Vec<u8>> {
    Esds::read(&[&[0; 4], content].concat())?.setup
}

impl Esds {
    /// Reads the content of the box. Returns `None` if it holds no decoder configuration.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let mut fields = Fields(content);
        fields.version_and_flags()?;
        let (tag, _) = descriptor(&mut fields)?;
        fields.skip(2)?;
        if tag == ES_DESCRIPTOR {
            let flags = fields.u8()?;
            if flags & 0x80 != 0 {
                fields.skip(2)?;
            }
            if flags & 0x40 != 0 {
                let url = fields.u8()?;
                fields.skip(url.into())?;
            }
            if flags & 0x20 != 0 {
                fields.skip(2)?;
            }
        }
        let (DECODER_CONFIG, _) = descriptor(&mut fields)? else { return None };
        let object_type = fields.u8()?;
        fields.skip(12)?;
        let setup = descriptor(&mut fields)
            .filter(|&(tag, size)| tag == DECODER_SPECIFIC && size > 0)
            .map(|(_, size)| fields.0.get(..size).unwrap_or(fields.0).to_vec());
        Some(Self { object_type, setup })
    }

    /// Returns the name of the codec if the `AudioSpecificConfig` of a track labelled AAC selects another codec
    /// (ISO/IEC 14496-3 table 1.17).
    pub(super) fn other_than_aac(&self) -> Option<&'static str> {
        const LAYERS: std::ops::RangeInclusive<u8> = 32..=34;
        const PARAMETRIC_STEREO: u8 = 29;
        const ALS: u8 = 36;
        if !matches!(self.object_type, 0x40 | 0x66..=0x68) {
            return None;
        }
        let &[first, second] = self.setup.as_ref()?.first_chunk()?;
        let (kind, rate) = match first >> 3 {
            31 => (32 + ((first & 7) << 3 | second >> 5), second >> 1 & 0x0f),
            kind => (kind, (first & 7) << 1 | second >> 7),
        };
        match kind {
            kind if LAYERS.contains(&kind) => Some("mp3on4"),
            // A draft of the standard used this number for MPEG layers.
            PARAMETRIC_STEREO if rate < 3 => Some("mp3on4"),
            ALS => Some("mp4als"),
            _ => None,
        }
    }
}

/// Reads the tag and the size of a descriptor. The size takes up to four bytes of seven bits each.
fn descriptor(fields: &mut Fields<'_>) -> Option<(u8, usize)> {
    let tag = fields.u8()?;
    let mut size = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((tag, size))
}
