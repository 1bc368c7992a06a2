//! CAF (Apple's Core Audio Format specification 1.0): chunks, of which one describes the sound, one holds it, and one lists
//! the sizes of its packets, before the sound or after it.

#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

use super::budget::Budget;
use super::codec::{TrackParams, Wants, tags};
use super::demux::{PacketSink, TrackId};
use super::mp4::{ReadBuffer, decoder_setup};
use super::packets::EditPart;
use super::packets::collector::Collector;
use super::reader::Ended;
use super::{Container, MediaError};

/// The size of the header of the file, and of the header of a chunk.
const FILE_HEADER: u64 = 8;
const CHUNK_HEADER: u64 = 12;
/// The size of a packet table without the sizes.
const TABLE_HEADER: u64 = 24;
/// The maximum number of chunks.
const MAX_CHUNKS: usize = 1024;
/// The maximum number of bytes of a codec's configuration.
const MAX_COOKIE: u64 = 64 * 1024;
/// The number of bytes read at once.
const AHEAD: usize = 32 * 1024;
/// The number of bytes of sound without packets that are handed on at once.
const PIECE: u64 = 32 * 1024;
/// The number of packets, empty ones among them, and of bytes after which [`Caf::advance`] returns.
const MAX_PACKETS: u32 = 32;
const MAX_AT_ONCE: u64 = 32 * 1024;
/// The size from which a packet is none.
const MAX_PACKET: u64 = 2 * 1024 * 1024;
const TRACK: TrackId = TrackId(0);

/// A stretch of the file.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    at: u64,
    end: u64,
}

impl Stretch {
    fn is_empty(self) -> bool {
        self.at >= self.end
    }
}

/// A CAF file.
pub(super) struct Caf<S> {
    source: S,
    params: TrackParams,
    packets: Packets,
    /// The rest of the sound.
    sound: Stretch,
    bytes: ReadBuffer,
    parts: Vec<EditPart>,
    is_begun: bool,
}

/// The division of the sound into packets.
enum Packets {
    /// No packets: samples or blocks, any number of which can be handed on at once.
    Even,
    /// Packets of one size.
    Fixed { bytes: u64 },
    /// Sizes from a table, of which `left` remain. `with_samples`: each is followed by a number of samples.
    Listed { table: Stretch, buffer: ReadBuffer, left: u64, with_samples: bool },
}

/// A `desc` chunk.
#[derive(Debug, Clone, Copy)]
struct Description {
    rate: f64,
    code: [u8; 4],
    flags: u32,
    packet_bytes: u32,
    packet_samples: u32,
    channels: u32,
    bits: u32,
}

/// The chunks that matter.
#[derive(Debug, Default)]
struct Chunks {
    description: Option<Description>,
    sound: Option<Stretch>,
    table: Option<Stretch>,
    cookie: Option<Vec<u8>>,
}

/// Measures a CAF file of `bytes` bytes.
pub(super) fn measure<S>(
    source: S,
    bytes: u64,
    sink: &mut dyn PacketSink,
    budget: &mut Budget,
) -> Result<Ended, MediaError>
where
    S: Read + Seek,
{
    let mut caf = Caf::open(source, bytes)?;
    sink.track(TRACK, &caf.params)?;
    while let Some(packet) = caf.next_packet(u64::MAX)? {
        let seen = if packet.is_empty() { 0 } else { caf.hand_on(packet, sink)? };
        if !budget.spend(seen) {
            return Ok(Ended::OverBudget { left: caf.sound.end.saturating_sub(caf.sound.at) });
        }
    }
    Ok(Ended::Whole)
}

impl<S: Read + Seek> Caf<S> {
    /// Reads the chunks of a file of `bytes` bytes.
    pub(super) fn open(mut source: S, bytes: u64) -> Result<Self, MediaError> {
        // The table may come last, so nothing is read before the whole file has arrived.
        ReadBuffer::new(1).exactly::<_, 1>(&mut source, bytes.saturating_sub(1))?;
        let chunks = Chunks::read(&mut source, bytes)?;
        let missing = |missing| MediaError::Unfinished { container: Container::Caf, missing };
        let description = chunks.description.ok_or_else(|| missing("its description (desc) is missing"))?;
        let sound = chunks.sound.ok_or_else(|| missing("its sound (data) is missing"))?;
        let params = description.params(chunks.cookie.unwrap_or_default());
        let has_packets = params.codec.as_ref().is_ok_and(|codec| matches!(codec.name(), "aac" | "alac" | "opus"));
        let bytes = u64::from(description.packet_bytes);
        let mut packets = if has_packets && bytes > 0 { Packets::Fixed { bytes } } else { Packets::Even };
        let mut parts = Vec::new();
        if let Some(table) = chunks.table {
            let mut buffer = ReadBuffer::new(AHEAD);
            let head = buffer
                .exactly::<_, 24>(&mut source, table.at)?
                .ok_or_else(|| missing("its packet table is cut off"))?;
            let [count, valid] = [0, 8].map(|at| field(&head, at).map_or(0, u64::from_be_bytes));
            let priming = field(&head, 16).map_or(0, u32::from_be_bytes);
            if description.packet_bytes == 0 {
                let table = Stretch { at: table.at.saturating_add(TABLE_HEADER), ..table };
                packets = Packets::Listed { table, buffer, left: count, with_samples: description.packet_samples == 0 };
            }
            if valid > 0 && i64::try_from(valid).is_ok() && params.rate > 0 {
                let begins = u64::from(priming);
                parts.push(EditPart { begins, ends: begins.saturating_add(valid), timescale: params.rate });
            }
        } else if description.packet_bytes == 0 {
            return Err(missing("its packet table (pakt) is missing"));
        }
        Ok(Self { source, params, packets, sound, bytes: ReadBuffer::new(AHEAD), parts, is_begun: false })
    }

    /// Hands the next packets to `sink`. Returns `false` at the end.
    pub(super) fn advance(&mut self, sink: &mut Collector) -> Result<bool, MediaError> {
        if !std::mem::replace(&mut self.is_begun, true) {
            sink.track(TRACK, &self.params)?;
            sink.edits_first(std::mem::take(&mut self.parts));
        }
        let mut seen = 0;
        for _ in 0..MAX_PACKETS {
            if seen >= MAX_AT_ONCE {
                break;
            }
            let Some(packet) = self.next_packet(PIECE)? else { return Ok(false) };
            if !packet.is_empty() {
                seen += self.hand_on(packet, sink)?;
            }
        }
        Ok(true)
    }

    /// Returns the position of the next packet, which may be empty, or of at most `piece` bytes of sound without packets.
    fn next_packet(&mut self, piece: u64) -> Result<Option<Stretch>, MediaError> {
        let at = self.sound.at;
        let room = self.sound.end.saturating_sub(at);
        if room == 0 {
            return Ok(None);
        }
        let size = match &mut self.packets {
            Packets::Even => Some(piece),
            Packets::Fixed { bytes } => Some(*bytes),
            Packets::Listed { left: 0, .. } => None,
            Packets::Listed { table, buffer, left, with_samples } => {
                *left -= 1;
                let size = number(&mut self.source, buffer, table)?;
                if *with_samples {
                    number(&mut self.source, buffer, table)?;
                }
                size
            }
        };
        let Some(size) = size else { return Ok(None) };
        let end = at.saturating_add(size.min(room));
        self.sound.at = end;
        Ok(Some(Stretch { at, end }))
    }

    /// Hands a packet to `sink`, and returns the number of bytes examined.
    fn hand_on(&mut self, packet: Stretch, sink: &mut dyn PacketSink) -> Result<u64, MediaError> {
        let size = packet.end - packet.at;
        let is_packet = !matches!(self.packets, Packets::Even);
        let wanted = match sink.begin(TRACK, size, None) {
            Wants::Everything if is_packet && size > MAX_PACKET => 0,
            Wants::Everything => size,
            Wants::First(count) => u64::try_from(count).unwrap_or(u64::MAX).min(size),
            Wants::Nothing => 0,
        };
        let mut seen = 0;
        while seen < wanted {
            let more = usize::try_from(wanted - seen).unwrap_or(usize::MAX);
            let bytes = self.bytes.bytes(&mut self.source, packet.at.saturating_add(seen), more)?;
            if bytes.is_empty() {
                break;
            }
            sink.bytes(TRACK, bytes);
            seen += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
        if size > seen {
            sink.unseen(TRACK, size - seen);
        }
        sink.end(TRACK);
        Ok(seen)
    }
}

impl Chunks {
    fn read<S: Read + Seek>(source: &mut S, bytes: u64) -> Result<Self, MediaError> {
        let mut chunks = Self::default();
        let mut buffer = ReadBuffer::new(AHEAD);
        let mut at = FILE_HEADER;
        for _ in 0..MAX_CHUNKS {
            let Some(head) = buffer.exactly::<_, 12>(source, at)? else { return Ok(chunks) };
            let (Some(kind), Some(size)) = (field::<4>(&head, 0), field(&head, 4)) else { return Ok(chunks) };
            // What follows the sound and is no chunk is padding or a tag.
            if chunks.sound.is_some() && !kind.iter().all(u8::is_ascii_graphic) {
                return Ok(chunks);
            }
            let content = at.saturating_add(CHUNK_HEADER);
            // Only the sound may have an unknown size, and reaches to the end then.
            let end = match i64::from_be_bytes(size) {
                -1 if &kind == b"data" => bytes,
                size => match u64::try_from(size) {
                    Ok(size) => content.saturating_add(size),
                    Err(_) => return Err(feature("states an impossible size")),
                },
            };
            let whole = Stretch { at: content, end: end.min(bytes) };
            match &kind {
                b"desc" => {
                    let fields = buffer.exactly::<_, 32>(source, content)?;
                    once(&mut chunks.description, fields.map(|fields| Description::read(&fields)))?;
                }
                // An edit count precedes the sound.
                b"data" => {
                    once(&mut chunks.sound, Some(Stretch { at: content.saturating_add(4).min(whole.end), ..whole }))?;
                }
                b"pakt" => once(&mut chunks.table, Some(whole))?,
                b"kuki" => {
                    let size = whole.end.saturating_sub(content).min(MAX_COOKIE);
                    let mut cookie = Vec::new();
                    source.seek(std::io::SeekFrom::Start(content))?;
                    source.by_ref().take(size).read_to_end(&mut cookie)?;
                    once(&mut chunks.cookie, Some(cookie))?;
                }
                _ => {}
            }
            if end >= bytes {
                return Ok(chunks);
            }
            at = end;
        }
        Err(feature("has more chunks than any recording"))
    }
}

impl Description {
    fn read(fields: &[u8; 32]) -> Self {
        let word = |at| field(fields, at).map_or(0, u32::from_be_bytes);
        Self {
            rate: field(fields, 0).map_or(0.0, f64::from_be_bytes),
            code: field(fields, 8).unwrap_or_default(),
            flags: word(12),
            packet_bytes: word(16),
            packet_samples: word(20),
            channels: word(24),
            bits: word(28),
        }
    }

    /// Returns the parameters of the track. Only codecs whose time can be counted here are taken.
    fn params(self, cookie: Vec<u8>) -> TrackParams {
        let Self { code, flags, packet_bytes, channels, .. } = self;
        let bits = u16::try_from(self.bits).unwrap_or(u16::MAX);
        let channels = u16::try_from(channels).unwrap_or(u16::MAX);
        let mut setup = cookie;
        let codec = if &code == b"lpcm" {
            // CAF's second flag says little-endian, QuickTime's says big-endian; samples are signed.
            tags::from_lpcm(bits, flags & 1 | (!flags & 2) | 4)
        } else {
            tags::from_fourcc(code, bits).and_then(|codec| match codec.name() {
                "aac" | "alac" | "opus" | "adpcm_ima_qt" | "pcm_alaw" | "pcm_mulaw" => Ok(codec),
                other => Err(other.to_owned()),
            })
        };
        if &code == b"aac " {
            setup = decoder_setup(&setup).unwrap_or_default();
        }
        let codec = codec.or_else(|name| if &code == b"aac " { tags::from_object_type(0x40) } else { Err(name) });
        TrackParams { codec, rate: whole_rate(self.rate), channels, bits, block_bytes: packet_bytes, setup }
    }
}

/// Returns a rate without its fraction; 0 for one that is none.
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole_rate(rate: f64) -> u32 {
    if rate >= 1.0 && rate <= f64::from(i32::MAX) { rate as u32 } else { 0 }
}

/// Reads a number of the packet table: groups of seven bits, the highest first.
fn number<S: Read + Seek>(
    source: &mut S,
    buffer: &mut ReadBuffer,
    table: &mut Stretch,
) -> Result<Option<u64>, MediaError> {
    let mut value = 0_u64;
    for _ in 0..5 {
        if table.at >= table.end {
            return Ok(None);
        }
        let Some([byte]) = buffer.exactly(source, table.at)? else { return Ok(None) };
        table.at += 1;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Err(feature("has a packet table that is damaged"))
}

fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), MediaError> {
    if slot.is_some() {
        return Err(feature("has two chunks of a kind of which there is one"));
    }
    *slot = value;
    Ok(())
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn feature(what: &'static str) -> MediaError {
    MediaError::Feature { container: Container::Caf, what }
}
