//! The permitted children of elements and their sizes (RFC 9559 §5.1).

use super::ebml::{self, Head, id};
use super::tracks::MAX_STRIPPED;

/// The maximum number of bytes read of a codec id.
const MAX_CODEC_ID: u64 = 64;

/// The largest element beside blocks that a recorder writes among them.
const MAX_BESIDE_BLOCKS: u64 = 64;

/// An element with children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// The file itself.
    Root,
    Header,
    Segment,
    SeekHead,
    Seek,
    Info,
    Tracks,
    TrackEntry,
    Audio,
    Encodings,
    Encoding,
    Compression,
    Cluster,
    BlockGroup,
    /// An element whose children do not matter.
    Other,
}

impl Context {
    pub(super) fn from_id(id: u32) -> Self {
        match id {
            id::EBML => Self::Header,
            id::SEGMENT => Self::Segment,
            id::SEEK_HEAD => Self::SeekHead,
            id::SEEK => Self::Seek,
            id::INFO => Self::Info,
            id::TRACKS => Self::Tracks,
            id::TRACK_ENTRY => Self::TrackEntry,
            id::AUDIO => Self::Audio,
            id::CONTENT_ENCODINGS => Self::Encodings,
            id::CONTENT_ENCODING => Self::Encoding,
            id::COMPRESSION => Self::Compression,
            id::CLUSTER => Self::Cluster,
            id::BLOCK_GROUP => Self::BlockGroup,
            _ => Self::Other,
        }
    }

    /// Returns true if another file could begin here.
    pub(super) fn is_outer(self) -> bool {
        matches!(self, Self::Root | Self::Header | Self::Segment | Self::Cluster)
    }

    /// Returns true if the element consists of packets.
    pub(super) fn has_packets(self) -> bool {
        matches!(self, Self::Cluster | Self::BlockGroup)
    }

    /// Returns true if a recorder may write this element here; `known`: the element holds it. False for what bytes that are
    /// no element look like.
    pub(super) fn expects(self, head: Head, known: bool) -> bool {
        match head.id {
            id::VOID => !self.has_packets(),
            id::CRC => head.size == Some(4),
            id::SIMPLE_BLOCK | id::BLOCK_GROUP | id::BLOCK | id::BLOCK_ADDITIONS | id::CODEC_STATE if known => true,
            _ if self.has_packets() => known && head.size.is_some_and(|size| size <= MAX_BESIDE_BLOCKS),
            _ => known || !matches!(self, Self::Root | Self::Segment),
        }
    }

    /// Returns true if `id` is a known child of the element.
    pub(super) fn holds(self, id: u32) -> bool {
        match self {
            Self::Root => matches!(id, id::EBML | id::SEGMENT),
            Self::Segment => ebml::is_top_level(id),
            Self::SeekHead => id == id::SEEK,
            Self::Seek => matches!(id, id::SEEK_ID | id::SEEK_POSITION),
            Self::Info => id == id::TIMESTAMP_SCALE,
            Self::Tracks => id == id::TRACK_ENTRY,
            Self::TrackEntry => {
                matches!(
                    id,
                    id::TRACK_NUMBER
                        | id::CODEC_ID
                        | id::CODEC_PRIVATE
                        | id::CODEC_DELAY
                        | id::AUDIO
                        | id::CONTENT_ENCODINGS
                )
            }
            Self::Audio => {
                matches!(id, id::SAMPLING_FREQUENCY | id::OUTPUT_SAMPLING_FREQUENCY | id::CHANNELS | id::BIT_DEPTH)
            }
            Self::Encodings => id == id::CONTENT_ENCODING,
            Self::Encoding => matches!(id, id::ENCODING_SCOPE | id::ENCODING_TYPE | id::COMPRESSION),
            Self::Compression => matches!(id, id::COMPRESSION_ALGORITHM | id::COMPRESSION_SETTINGS),
            Self::Cluster => matches!(
                id,
                id::TIMESTAMP
                    | id::SIMPLE_BLOCK
                    | id::BLOCK_GROUP
                    | id::SILENT_TRACKS
                    | id::POSITION
                    | id::PREVIOUS_SIZE
            ),
            Self::BlockGroup => matches!(
                id,
                id::BLOCK
                    | id::BLOCK_ADDITIONS
                    | id::BLOCK_DURATION
                    | id::REFERENCE_BLOCK
                    | id::REFERENCE_PRIORITY
                    | id::DISCARD_PADDING
                    | id::CODEC_STATE
            ),
            Self::Header | Self::Other => false,
        }
    }

    /// Returns true if the demuxer reads the children of `id` in `self`. It reads children of a segment that do not matter only
    /// if their size is unknown.
    pub(super) fn has_children(self, id: u32) -> bool {
        match Self::from_id(id) {
            Self::Other => self == Self::Segment && ebml::is_top_level(id),
            _ => self.holds(id),
        }
    }
}

/// Returns true if an element of `id` can have `size` bytes: a demuxer refuses numbers of an invalid size.
pub(super) fn is_size(id: u32, size: u64) -> bool {
    match id {
        id::SAMPLING_FREQUENCY | id::OUTPUT_SAMPLING_FREQUENCY => matches!(size, 0 | 4 | 8),
        id::BLOCK_DURATION | id::REFERENCE_BLOCK | id::DISCARD_PADDING => size <= 8,
        _ => !is_integer(id) || size <= 8,
    }
}

/// Returns true if an element of `id` is an integer that is read.
fn is_integer(id: u32) -> bool {
    matches!(
        id,
        id::TIMESTAMP
            | id::TIMESTAMP_SCALE
            | id::SEEK_ID
            | id::SEEK_POSITION
            | id::TRACK_NUMBER
            | id::CODEC_DELAY
            | id::DISCARD_PADDING
            | id::CHANNELS
            | id::BIT_DEPTH
            | id::ENCODING_SCOPE
            | id::ENCODING_TYPE
            | id::COMPRESSION_ALGORITHM
    )
}

/// Returns the number of bytes to read at once of an element of `id`, or `None` if it is not a small element.
pub(super) fn small(id: u32, size: u64) -> Option<usize> {
    let max = match id {
        id::SAMPLING_FREQUENCY | id::OUTPUT_SAMPLING_FREQUENCY => 8,
        id if is_integer(id) => 8,
        id::COMPRESSION_SETTINGS => MAX_STRIPPED,
        id::CODEC_ID => MAX_CODEC_ID,
        _ => return None,
    };
    usize::try_from(size.min(max)).ok()
}
