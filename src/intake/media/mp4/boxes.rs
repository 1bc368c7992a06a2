//! Boxes, of which the format is made (ISO/IEC 14496-12 §4.2), and the numbers in them.

/// A box's four letters.
pub(super) type Kind = [u8; 4];

/// A box's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoxHead {
    pub(super) kind: Kind,
    /// The bytes of its size and its letters: 8 or 16.
    pub(super) bytes: u64,
    /// The bytes that follow them. `None`: to the end of what it is in.
    pub(super) content: Option<u64>,
}

/// What stands where a box should begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Head(BoxHead),
    /// It takes so many bytes to tell.
    More(usize),
    /// A size that no box has.
    Broken,
}

/// The box that `window` begins with, in something that has `room` for it.
pub(super) fn head(window: &[u8], room: u64) -> Found {
    let Some(&[a, b, c, d, kind @ ..]) = window.first_chunk::<8>() else { return Found::More(8) };
    match u32::from_be_bytes([a, b, c, d]) {
        0 => Found::Head(BoxHead { kind, bytes: 8, content: None }),
        1 if room >= 16 => {
            let Some(size) = window.get(8..16).and_then(|size| size.first_chunk().copied()) else {
                return Found::More(16);
            };
            match u64::from_be_bytes(size) {
                // ffmpeg subtracts the eight bytes first and takes what is left for "to the end".
                8 => Found::Head(BoxHead { kind, bytes: 16, content: None }),
                size @ 16.. if i64::try_from(size).is_ok() => {
                    Found::Head(BoxHead { kind, bytes: 16, content: Some(size - 16) })
                }
                _ => Found::Broken,
            }
        }
        size @ 8.. => Found::Head(BoxHead { kind, bytes: 8, content: Some(u64::from(size) - 8) }),
        _ => Found::Broken,
    }
}

/// Whether boxes of this kind hold others that matter, wherever they stand.
pub(super) fn is_entered(kind: Kind) -> bool {
    matches!(
        &kind,
        b"moov"
            | b"trak"
            | b"mdia"
            | b"minf"
            | b"dinf"
            | b"stbl"
            | b"edts"
            | b"udta"
            | b"ilst"
            | b"moof"
            | b"traf"
            | b"mvex"
            | b"tref"
            | b"sinf"
            | b"schi"
            | b"meta"
    )
}

/// Reads big-endian numbers one behind the other. What is not there is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// The next `count` bytes.
    pub(super) fn slice(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// A full box's flags, after its version.
    pub(super) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let [version, a, b, c] = self.take()?;
        Some((version, u32::from_be_bytes([0, a, b, c])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_every_form_are_read() {
        let plain = |content| Found::Head(BoxHead { kind: *b"free", bytes: 8, content });
        let long = |content| Found::Head(BoxHead { kind: *b"free", bytes: 16, content });
        assert_eq!(head(b"\0\0\0\x10free", 100), plain(Some(8)));
        assert_eq!(head(b"\0\0\0\0free", 100), plain(None));
        assert_eq!(head(b"\0\0\0\x07free", 100), Found::Broken);
        assert_eq!(head(b"\0\0\0\x01free", 100), Found::More(16));
        assert_eq!(head(b"\0\0\0\x01free", 15), Found::Broken);
        assert_eq!(head(b"\0\0\0\x01free\0\0\0\x01\0\0\0\x10", 100), long(Some(0x1_0000_0000)));
        assert_eq!(head(b"\0\0\0\x01free\0\0\0\0\0\0\0\x08", 100), long(None));
        assert_eq!(head(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f", 100), Found::Broken);
        assert_eq!(head(b"\0\0\0\x01free\xff\0\0\0\0\0\0\x10", 100), Found::Broken);
        assert_eq!(head(b"\0\0\0", 100), Found::More(8));
    }
}
