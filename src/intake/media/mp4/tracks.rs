//! Sample descriptions of audio tracks (ISO/IEC 14496-12 §8.5.2 and §12.2.3; Apple's `QuickTime` File Format, "Sound Sample
//! Descriptions"), read as ffmpeg reads them.

use super::super::codec::{Codec, TrackParams, tags};
use super::super::{Container, MediaError};
use super::boxes::{BoxHead, Fields, Found, Kind, head};
use super::error::feature;
use super::esds;

/// The maximum depth of boxes in a description.
const MAX_DEPTH: usize = 6;
/// The largest number of entries that ffmpeg reads.
const MAX_ENTRIES: u32 = 1024;

/// The purpose of a track, by its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Handler {
    #[default]
    Unknown,
    Sound,
    Picture,
}

/// The brands of a file, which decide the fields of a description.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brand {
    /// True if the main brand is not `QuickTime`'s.
    pub(super) iso: bool,
    /// True if `QuickTime`'s brand is among the compatible brands.
    pub(super) compatible_with_quicktime: bool,
}

impl Brand {
    /// Reads the content of an `ftyp`.
    pub(super) fn from_ftyp(content: &[u8]) -> Option<Self> {
        let (main, rest) = content.split_first_chunk::<4>()?;
        let others = rest.get(4..).unwrap_or_default();
        Some(Self { iso: main != b"qt  ", compatible_with_quicktime: memchr::memmem::find(others, b"qt  ").is_some() })
    }
}

/// The description of a track's sound.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) params: TrackParams,
    /// The number of samples in a frame of `bytes_per_frame` bytes; both are 0 if the description does not state them.
    pub(super) samples_per_frame: u32,
    pub(super) bytes_per_frame: u32,
    /// The bytes of one PCM sample of all channels; 0 for every other codec.
    pub(super) pcm_frame: u64,
}

/// Reads an `stsd`. `content` begins after the box header and may extend beyond the box; it is cut off only at the end of the
/// file or where a description is too large. Returns `None` if the track is not audio.
pub(super) fn describe(
    content: &[u8],
    handler: Handler,
    brand: Brand,
    timescale: u32,
) -> Result<Option<Description>, MediaError> {
    let mut fields = Fields(content);
    let Some(((version, _), entries)) = fields.version_and_flags().zip(fields.u32()) else { return Ok(None) };
    if entries > MAX_ENTRIES {
        return Err(feature("has more sample descriptions in a track than any recording"));
    }
    let mut described: Option<Entry> = None;
    for _ in 0..entries {
        let entry = fields.u32().and_then(|size| fields.slice(usize::try_from(size).ok()?.checked_sub(4)?));
        let Some(entry) = entry else {
            if handler == Handler::Sound {
                return Err(feature("has a sample description that is cut off or larger than 64 KiB"));
            }
            break;
        };
        let Some(entry) = Entry::read(entry, handler, brand, version)? else { continue };
        match &described {
            Some(first) if *first != entry => {
                return Err(feature("changes how its sound is encoded within a track"));
            }
            _ => described = Some(entry),
        }
    }
    described.map(|entry| entry.description(timescale)).transpose()
}

/// An entry of an `stsd`.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    code: Kind,
    data_reference: u16,
    codec: Result<Codec, String>,
    channels: u32,
    bits: u16,
    rate: u32,
    samples_per_frame: u32,
    bytes_per_frame: u32,
    extra: Extra,
}

impl Entry {
    /// Reads an entry. Returns `None` if it does not describe audio.
    fn read(entry: &[u8], handler: Handler, brand: Brand, table_version: u8) -> Result<Option<Self>, MediaError> {
        let mut fields = Fields(entry);
        let Some(code) = fields.take::<4>() else { return Ok(None) };
        let sound = handler == Handler::Sound;
        if handler == Handler::Picture || !sound && !is_sound(code) {
            // ffmpeg turns such a track into an audio track if its `esds` says MP3.
            let mut extra = Extra::default();
            extra.read(entry.get(82..).unwrap_or_default(), 0)?;
            return match extra.esds {
                Some(esds) if matches!(esds.object_type, 0x69 | 0x6b) => Err(feature("has sound in a picture's track")),
                _ => Ok(None),
            };
        }
        let read = Self::read_sound(code, fields, brand, table_version)?;
        read.map_or(Err(feature("has a sample description that is too short")), |entry| Ok(Some(entry)))
    }

    fn read_sound(code: Kind, fields: Fields<'_>, brand: Brand, table_version: u8) -> Result<Option<Self>, MediaError> {
        let Some((mut entry, rest)) = Self::read_fields(code, fields, brand, table_version) else { return Ok(None) };
        entry.extra.read(rest.0, 0)?;
        if entry.extra.encrypted || matches!(&code, b"enca" | b"drms" | b"aavd") {
            return Err(feature("is encrypted"));
        }
        Ok(Some(entry))
    }

    fn read_fields(code: Kind, mut fields: Fields<'_>, brand: Brand, table_version: u8) -> Option<(Self, Fields<'_>)> {
        fields.skip(6)?;
        let data_reference = fields.u16()?;
        let version = fields.u16()?;
        fields.skip(6)?;
        let mut channels = u32::from(fields.u16()?);
        let mut bits = fields.u16()?;
        fields.skip(4)?;
        let mut rate = fields.u32()? >> 16;
        let (mut samples_per_frame, mut bytes_per_frame) = (0, 0);
        let mut lpcm_flags = None;
        let extended = !brand.iso || brand.compatible_with_quicktime || (table_version == 0 && version > 0);
        match version {
            1 if extended => {
                samples_per_frame = fields.u32()?;
                fields.skip(4)?;
                bytes_per_frame = fields.u32()?;
                fields.skip(4)?;
            }
            2 if extended => {
                fields.skip(4)?;
                rate = whole(f64::from_bits(fields.u64()?));
                channels = fields.u32()?;
                fields.skip(4)?;
                bits = u16::try_from(fields.u32()?).unwrap_or(u16::MAX);
                lpcm_flags = Some(fields.u32()?);
                bytes_per_frame = fields.u32()?;
                samples_per_frame = fields.u32()?;
            }
            _ => {}
        }
        let codec = match (&code, lpcm_flags) {
            (b"lpcm", Some(flags)) => tags::from_lpcm(bits, flags),
            // Old files without a code hold PCM.
            ([0, 0, 0, 0], _) if bits == 8 => tags::from_fourcc(*b"raw ", bits),
            ([0, 0, 0, 0], _) if bits == 16 => tags::from_fourcc(*b"twos", bits),
            _ => tags::from_fourcc(code, bits),
        };
        let extra = Extra::default();
        let entry =
            Self { code, data_reference, codec, channels, bits, rate, samples_per_frame, bytes_per_frame, extra };
        Some((entry, fields))
    }

    fn description(self, timescale: u32) -> Result<Description, MediaError> {
        let Self { code, mut codec, channels, mut bits, rate, extra, .. } = self;
        if extra.wave_format {
            codec = Err("a Windows codec (wfex)".to_owned());
        }
        if matches!(&code, b"ipcm" | b"fpcm") {
            bits = extra.pcm_bits.unwrap_or(bits);
            codec = tags::from_lpcm(bits, if &code == b"fpcm" { 7 } else { 6 });
        }
        let mut setup = extra.setup;
        if let Some(esds) = extra.esds {
            if let Some(name) = esds.other_than_aac() {
                return Err(MediaError::Codec { container: Container::Mp4, codec: name.to_owned() });
            }
            // If the object type is unknown, the codec of the code stands, unless the code is `mp4a`, which names no codec.
            match tags::from_object_type(esds.object_type) {
                Err(_) if &code != b"mp4a" => {}
                known => codec = known,
            }
            setup = esds.setup.unwrap_or(setup);
        }
        let name = codec.as_ref().map_or("", |codec| codec.name());
        let (mut samples_per_frame, mut bytes_per_frame) = (self.samples_per_frame, self.bytes_per_frame);
        // The format fixes these numbers for codecs that are older than the fields.
        match name {
            "mace3" => (samples_per_frame, bytes_per_frame) = (6, self.channels.saturating_mul(2)),
            "mace6" => (samples_per_frame, bytes_per_frame) = (6, self.channels),
            "adpcm_ima_qt" => (samples_per_frame, bytes_per_frame) = (64, self.channels.saturating_mul(34)),
            "gsm" => (samples_per_frame, bytes_per_frame) = (160, 33),
            _ => {}
        }
        let pcm_frame = u64::from(pcm_bits(name) / 8) * u64::from(self.channels);
        let rate = if rate == 0 && timescale > 1 { timescale } else { rate };
        let channels = u16::try_from(channels).unwrap_or(u16::MAX);
        let params = TrackParams { codec, rate, channels, bits, block_bytes: bytes_per_frame, setup };
        Ok(Description { params, samples_per_frame, bytes_per_frame, pcm_frame })
    }
}

/// Returns true if `code` means audio under any handler.
fn is_sound(code: Kind) -> bool {
    matches!(&code, b"enca" | b"drms" | b"aavd" | b"owma" | b"ipcm" | b"fpcm") || tags::from_fourcc(code, 0).is_ok()
}

/// Returns the bits of one sample of one channel, by ffmpeg's name for a PCM encoding; 0 for every other codec.
fn pcm_bits(name: &str) -> u16 {
    match name.strip_prefix("pcm_") {
        Some("alaw" | "mulaw") => 8,
        Some(sample) => sample.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or_default(),
        None => 0,
    }
}

/// Rounds a rate down to a whole number; 0 if it is not one that fits.
fn whole(rate: f64) -> u32 {
    // The format prints a whole float as its digits.
    let digits = if rate.is_finite() { format!("{:.0}", rate.floor()) } else { String::new() };
    digits.parse().unwrap_or_default()
}

/// The content of the boxes after the fields of a description.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extra {
    esds: Option<esds::Esds>,
    setup: Vec<u8>,
    /// The sample size in `pcmC`.
    pcm_bits: Option<u16>,
    wave_format: bool,
    encrypted: bool,
}

impl Extra {
    fn read(&mut self, mut rest: &[u8], depth: usize) -> Result<(), MediaError> {
        if depth > MAX_DEPTH {
            return Err(feature("has a sample description that is nested too deeply"));
        }
        while let Found::Head(BoxHead { kind, bytes, content }) = head(rest, u64::try_from(rest.len()).unwrap_or(0)) {
            let Some(behind) = usize::try_from(bytes).ok().and_then(|bytes| rest.get(bytes..)) else { break };
            let size = content.and_then(|content| usize::try_from(content).ok()).unwrap_or(behind.len());
            let (content, next) = behind.split_at_checked(size).unwrap_or((behind, &[]));
            self.read_box(kind, content, depth)?;
            rest = next;
        }
        Ok(())
    }

    fn read_box(&mut self, kind: Kind, content: &[u8], depth: usize) -> Result<(), MediaError> {
        match &kind {
            b"esds" => self.esds = esds::Esds::read(content).or(self.esds.take()),
            b"alac" | b"dfLa" => self.set_up(content.get(4..)),
            b"dOps" => self.set_up(opus_head(content).as_deref()),
            b"glbl" | b"strf" => self.set_up(Some(content)),
            b"pcmC" => self.pcm_bits = content.get(5).copied().map(u16::from),
            b"wfex" => self.wave_format = true,
            b"sinf" | b"adrm" | b"tenc" => self.encrypted = true,
            // `wave` may hold ALAC's cookie without a box around it.
            b"wave" if content.len() >= 24 && self.is_bare_cookie(content) => self.set_up(content.get(..24)),
            b"wave" | b"udta" | b"meta" | b"mdia" | b"minf" | b"stbl" | b"schi" | b"dinf" => {
                self.read(content, depth + 1)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Stores the first setup that is not empty.
    fn set_up(&mut self, setup: Option<&[u8]>) {
        if let (true, Some(setup)) = (self.setup.is_empty(), setup) {
            self.setup = setup.to_vec();
        }
    }

    fn is_bare_cookie(&self, content: &[u8]) -> bool {
        self.setup.is_empty() && content.get(4..8).is_some_and(|kind| !kind.iter().all(u8::is_ascii_graphic))
    }
}

/// Converts a `dOps` (Encapsulation of Opus in ISOBMFF, §4.3.2) to an `OpusHead` (RFC 7845 §5.1), which has the same fields
/// in little-endian order.
fn opus_head(content: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Fields(content);
    let ([_version, channels], skip, rate, gain) = (fields.take()?, fields.u16()?, fields.u32()?, fields.u16()?);
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend(skip.to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend(gain.to_le_bytes());
    head.extend(fields.0);
    Some(head)
}
