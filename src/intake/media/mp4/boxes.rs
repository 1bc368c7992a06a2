//! Boxes, the elements of the format (ISO/IEC 14496-12 §4.2), and the numbers in them.

/// The four letters that name a box.
pub(super) type Kind = [u8; 4];

/// The header of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoxHead {
    pub(super) kind: Kind,
    /// The size of the header: 8 or 16 bytes.
    pub(super) bytes: u64,
    /// The size of the content. `None`: the content extends to the end of the enclosing box or file.
    pub(super) content: Option<u64>,
}

/// The result of reading a box header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Head(BoxHead),
    /// The number of bytes that the window must hold.
    More(usize),
    /// An impossible size.
    Broken,
}

/// Reads the header of the box at the start of `window`; `room` is the number of bytes up to the end of the enclosing box or
/// file.
pub(super) fn head(window: &[u8], room: u64) -> Found {
    let Some(&[a, b, c, d, kind @ ..]) = window.first_chunk::<8>() else { return Found::More(8) };
    match u32::from_be_bytes([a, b, c, d]) {
        0 => Found::Head(BoxHead { kind, bytes: 8, content: None }),
        1 if room >= 16 => {
            let Some(size) = window.get(8..16).and_then(|size| size.first_chunk().copied()) else {
                return Found::More(16);
            };
            match u64::from_be_bytes(size) {
                // ffmpeg subtracts the first eight bytes and reads the resulting 0 as "to the end".
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

/// Returns true if boxes of this kind hold other boxes that matter, at any level.
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

/// A reader of consecutive big-endian numbers. Reads beyond the end return `None`.
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

    /// Reads the next `count` bytes.
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

    /// Reads the version and the flags of a full box.
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
