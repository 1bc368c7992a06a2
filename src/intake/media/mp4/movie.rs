//! The movie: the tracks and the positions of their tables. As in ffmpeg, a box means the same at any level, and belongs to
//! the track that began last.

use super::super::demux::{MAX_TRACKS, PacketSink, TrackId};
use super::super::{Container, MediaError};
use super::boxes::{Fields, Kind};
use super::error::{feature, too_short};
use super::track_tables::{Tables, once, repeated};
use super::tracks::{Brand, Description, Handler, describe};

/// The maximum number of tracks of any kind.
const MAX_NUMBERS: usize = 1024;

/// An audio track.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// The id under which the sink counts its packets.
    pub(super) counted: TrackId,
    pub(super) timescale: u32,
    pub(super) movie_timescale: u32,
    pub(super) description: Description,
    pub(super) tables: Tables,
}

/// A track during reading.
#[derive(Debug, Clone, Default)]
struct Open {
    number: Option<u32>,
    handler: Handler,
    timescale: u32,
    description: Option<Description>,
    described: bool,
    external: bool,
    tables: Tables,
}

/// The part of the movie read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Movie {
    brand: Brand,
    timescale: u32,
    open: Option<Open>,
    tracks: Vec<Track>,
    /// The number and the kind of every track.
    numbers: Vec<(u32, Numbered)>,
    defaults: Vec<Defaults>,
}

/// The kind of a track with a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbered {
    /// An audio track, with its index among the audio tracks.
    Sound(usize),
    Other,
}

/// A `trex`: the defaults for the fragments of a track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    number: u32,
    /// The number of the track's description.
    pub(super) description: u32,
    /// The size of a sample.
    pub(super) size: u32,
}

impl Movie {
    /// Returns the audio tracks.
    pub(super) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Returns the kind of the first track with this number.
    pub(super) fn find(&self, number: u32) -> Option<Numbered> {
        self.numbers.iter().find(|(track, _)| *track == number).map(|(_, what)| *what)
    }

    /// Returns the defaults for the fragments of a track; `None` if it may have no fragments.
    pub(super) fn defaults(&self, number: u32) -> Option<Defaults> {
        self.defaults.iter().find(|defaults| defaults.number == number).copied()
    }

    /// Begins a `trak`.
    pub(super) fn begin_track(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        self.settle(sink)?;
        self.open = Some(Open::default());
        Ok(())
    }

    /// Ends the track that began last, and hands it to `sink` if it is audio.
    pub(super) fn settle(&mut self, sink: &mut dyn PacketSink) -> Result<(), MediaError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if self.numbers.len() >= MAX_NUMBERS {
            return Err(MediaError::TooManyTracks { container: Container::Mp4, allowed: MAX_NUMBERS });
        }
        let what = if open.description.is_some() { Numbered::Sound(self.tracks.len()) } else { Numbered::Other };
        self.numbers.push((open.number.unwrap_or_default(), what));
        let Some(description) = open.description else {
            // A track of chapters or of pictures.
            return if open.handler == Handler::Sound { Err(feature("does not describe its sound")) } else { Ok(()) };
        };
        if open.external {
            return Err(feature("keeps its sound in another file"));
        }
        if self.tracks.len() >= MAX_TRACKS {
            return Err(MediaError::TooManyTracks { container: Container::Mp4, allowed: MAX_TRACKS });
        }
        let counted = TrackId(u32::try_from(self.tracks.len()).unwrap_or(u32::MAX));
        sink.track(counted, &description.params)?;
        self.tracks.push(Track {
            counted,
            timescale: open.timescale.max(1),
            movie_timescale: self.timescale,
            description,
            tables: open.tables,
        });
        Ok(())
    }

    /// Reads a box whose content is `size` bytes from `at`. `content` holds the first of them and may extend beyond the box.
    pub(super) fn read(&mut self, kind: Kind, at: u64, size: u64, content: &[u8]) -> Result<(), MediaError> {
        if size < min_size(kind, content) {
            return Err(too_short());
        }
        let within = usize::try_from(size).ok().and_then(|size| content.get(..size)).unwrap_or(content);
        let mut fields = Fields(within);
        match &kind {
            b"ftyp" if self.open.is_none() && self.numbers.is_empty() => {
                let brand = Brand::from_ftyp(within).unwrap_or_default();
                // A later `ftyp` cannot revoke an ISO brand.
                self.brand = Brand { iso: brand.iso || self.brand.iso, ..brand };
            }
            b"mvhd" => self.timescale = timescale(&mut fields),
            b"trex" => self.read_defaults(&mut fields)?,
            // These boxes change the description of a track's sound and belong inside it.
            b"esds" | b"wave" | b"glbl" | b"alac" | b"dfLa" | b"dOps" | b"wfex" | b"pcmC" | b"ddts" | b"frma"
            | b"tenc" | b"adrm" => {
                return Err(feature("describes its sound outside of its sample description"));
            }
            _ => {
                let brand = self.brand;
                if let Some(open) = &mut self.open {
                    open.read(kind, (at, size), fields, content, brand)?;
                }
            }
        }
        Ok(())
    }

    fn read_defaults(&mut self, fields: &mut Fields<'_>) -> Result<(), MediaError> {
        let mut read = || {
            fields.version_and_flags()?;
            let (number, description) = (fields.u32()?, fields.u32()?);
            fields.skip(4)?;
            Some(Defaults { number, description, size: fields.u32()? })
        };
        let Some(defaults) = read() else { return Ok(()) };
        if self.defaults.len() >= MAX_NUMBERS {
            return Err(MediaError::TooManyTracks { container: Container::Mp4, allowed: MAX_NUMBERS });
        }
        self.defaults.push(defaults);
        Ok(())
    }
}

impl Open {
    fn read(
        &mut self,
        kind: Kind,
        position: (u64, u64),
        mut fields: Fields<'_>,
        content: &[u8],
        brand: Brand,
    ) -> Result<(), MediaError> {
        match &kind {
            b"tkhd" => once(&mut self.number, number(&mut fields)),
            b"mdhd" if self.timescale > 0 => Err(repeated()),
            b"mdhd" => {
                self.timescale = timescale(&mut fields);
                Ok(())
            }
            b"hdlr" => {
                fields.skip(8);
                match fields.take() {
                    Some([b's', b'o', b'u', b'n'] | [b'm', b'1', b'a', b' ']) => self.handler = Handler::Sound,
                    Some([b'v', b'i', b'd', b'e']) if self.handler == Handler::Unknown => {
                        self.handler = Handler::Picture;
                    }
                    _ => {}
                }
                Ok(())
            }
            b"stsd" if self.described => Err(repeated()),
            b"stsd" => {
                self.described = true;
                self.description = describe(content, self.handler, brand, self.timescale)?;
                Ok(())
            }
            b"dref" => {
                self.external = self.external || is_external(fields);
                Ok(())
            }
            _ => self.tables.read(kind, position, fields),
        }
    }
}

/// Returns the minimum size of a box whose fields all matter.
fn min_size(kind: Kind, content: &[u8]) -> u64 {
    match (&kind, content.first()) {
        (b"tkhd", Some(1)) | (b"trex", _) => 24,
        (b"tkhd", _) => 16,
        (b"stsz" | b"stz2", _) => 12,
        (b"stts" | b"stsc" | b"stco" | b"co64", _) => 8,
        _ => 0,
    }
}

/// Reads the track number in a `tkhd`.
fn number(fields: &mut Fields<'_>) -> Option<u32> {
    let (version, _) = fields.version_and_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    fields.u32()
}

/// Reads the ticks per second in an `mvhd` or `mdhd`, at the offset of the number in a `tkhd`. The result is 1 for numbers
/// that ffmpeg rejects.
fn timescale(fields: &mut Fields<'_>) -> u32 {
    number(fields).filter(|&ticks| ticks > 0 && i32::try_from(ticks).is_ok()).unwrap_or(1)
}

/// Returns true if a `dref` places samples in another file: an alias with a path, which ffmpeg would follow.
fn is_external(mut fields: Fields<'_>) -> bool {
    const ALIAS_WITH_PATH: u32 = 150;
    let Some((_, entries)) = fields.version_and_flags().zip(fields.u32()) else { return false };
    for _ in 0..entries.min(64) {
        let Some((size, kind)) = fields.u32().zip(fields.take::<4>()) else { return false };
        let flags = fields.0.get(3).copied().unwrap_or_default();
        if &kind == b"alis" && size > ALIAS_WITH_PATH && flags & 1 == 0 {
            return true;
        }
        let Some(content) = usize::try_from(size).ok().and_then(|size| size.checked_sub(8)) else { return false };
        if fields.skip(content).is_none() {
            return false;
        }
    }
    false
}
