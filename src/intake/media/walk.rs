//! The length of everything but WAV: packet by packet, through symphonia's demuxers, without decoding.
//!
//! A demuxer that stops early, or that passes over what it cannot read, would make the rest of a recording free. So the
//! bytes that came out as packets are held against those that went in, and what is missing is added at the lowest rate that
//! such audio has.

use std::io::{self, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions, ReadBytes};
use symphonia::core::packet::Packet;
use symphonia::default::formats::{FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader};

use super::gauge::{self, Gauge, Position};
use super::meter::{self, Meter};
use super::packet;
use super::sniff::Found;
use super::{Codec, Container, Length, MediaError, bound};
use crate::units::AudioMs;

/// A demuxer can go on behind damage. It is not asked to for ever.
const MAX_ERRORS: usize = 64;
/// The largest recording that is taken by default is walked in a fraction of a second. Tables that are made to be slow to search
/// are left after this.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure<S>(source: S, found: &Found) -> Result<(Option<Codec>, Length), MediaError>
where
    S: Read + Seek + Send + Sync + 'static,
{
    // Only an MP4's index needs it. Where the others can seek, they search the file for a length that is not used here,
    // or for an index that a cut has taken away.
    let seekable = found.container == Container::Mp4;
    let gauge = Gauge::new(source, found.start, found.end, seekable)?;
    let mut walk = Walk::new(found, gauge.position());
    // Demuxers see hostile input, and a panic in one is a fault of theirs that must not become a fault of ours. What was
    // counted before stays counted, and what was not is bounded.
    let ended = catch_unwind(AssertUnwindSafe(|| walk.run(gauge))).unwrap_or(Ok(End::Broken));
    Ok(walk.conclude(ended?))
}

fn open<'s>(container: Container, mut stream: MediaSourceStream<'s>) -> Result<Box<dyn FormatReader + 's>, Error> {
    let options = FormatOptions::default();
    Ok(match container {
        Container::Mp3 => Box::new(MpaReader::try_new(stream, options)?),
        Container::Flac => Box::new(FlacReader::try_new(stream, options)?),
        Container::Ogg => Box::new(OggReader::try_new(stream, options)?),
        Container::Mp4 => {
            // This demuxer expects to be called where a probe has just read `ftyp`'s size.
            stream.read_quad_bytes()?;
            Box::new(IsoMp4Reader::try_new(stream, options)?)
        }
        Container::Wav | Container::Webm => Box::new(MkvReader::try_new(stream, options)?),
    })
}

/// How a walk came to its end.
#[derive(Clone, Copy)]
enum End {
    /// The demuxer found the end of the file.
    Reached,
    /// The file ends within a packet.
    CutOff,
    /// The demuxer could not go on.
    Broken,
    /// There is no need to walk: the audio is uncompressed, at this many bits a second.
    Uncompressed(u64),
}

struct Walk {
    container: Container,
    /// Whether it is an MP4 whose packets come in order, piece by piece, and not by one table for all.
    fragmented: bool,
    /// The bytes from which packets come.
    bytes: u64,
    position: Position,
    tracks: Vec<Meter>,
    /// The audio of earlier links of a chained Ogg file.
    before: Duration,
    codec: Option<Codec>,
    /// Where the first packet ended, and the last.
    first: Option<u64>,
    last: u64,
    /// How many packets there were, of all tracks, and their bytes.
    packets: u64,
    delivered: u64,
    largest: u64,
    heard: bool,
}

impl Walk {
    fn new(found: &Found, position: Position) -> Self {
        Self {
            container: found.container,
            fragmented: found.fragmented,
            bytes: found.end - found.start,
            position,
            tracks: Vec::new(),
            before: Duration::ZERO,
            codec: None,
            first: None,
            last: 0,
            packets: 0,
            delivered: 0,
            largest: 0,
            heard: false,
        }
    }

    fn run<S>(&mut self, gauge: Gauge<S>) -> Result<End, MediaError>
    where
        S: Read + Seek + Send + Sync + 'static,
    {
        let started = Instant::now();
        let stream = MediaSourceStream::new(Box::new(gauge), MediaSourceStreamOptions::default());
        let Ok(mut reader) = open(self.container, stream) else { return Ok(End::Broken) };
        self.take_tracks(reader.tracks())?;
        if let Some(rate) = self.uncompressed(reader.tracks()) {
            return Ok(End::Uncompressed(rate));
        }
        let mut errors = 0;
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    errors = 0;
                    self.count(&packet);
                    if self.delivered > self.bytes {
                        return Err(MediaError::Overlapping { container: self.container });
                    }
                }
                Ok(None) => return Ok(End::Reached),
                Err(Error::ResetRequired) => {
                    self.close_link();
                    self.take_tracks(reader.tracks())?;
                }
                // Only an index can point past the end of the file and have more to say.
                Err(Error::IoError(err)) if self.container != Container::Mp4 || errors == MAX_ERRORS => {
                    return Ok(if err.kind() == io::ErrorKind::UnexpectedEof { End::CutOff } else { End::Broken });
                }
                Err(_) if errors == MAX_ERRORS => return Ok(End::Broken),
                Err(_) => errors += 1,
            }
            // A packet takes a byte at the least: what gives more of them gives them endlessly.
            if self.packets > self.bytes || started.elapsed() > PATIENCE {
                return Ok(End::Broken);
            }
        }
    }

    fn take_tracks(&mut self, tracks: &[Track]) -> Result<(), MediaError> {
        let meters = tracks.iter().filter_map(|track| Meter::new(self.container, track));
        self.tracks = meters.collect();
        match self.tracks.first() {
            Some(first) => self.codec = self.codec.or(first.codec),
            None if self.heard => {}
            None => return Err(MediaError::NoAudioTrack { container: self.container }),
        }
        self.heard = true;
        Ok(())
    }

    /// The rate of the thinnest audio track, if all of them are uncompressed. Such a track has a packet for each sample.
    fn uncompressed(&self, tracks: &[Track]) -> Option<u64> {
        if !matches!(self.container, Container::Mp4 | Container::Webm) {
            return None;
        }
        let rates: Option<Vec<u64>> = tracks.iter().filter_map(meter::audio).map(packet::uncompressed_rate).collect();
        rates?.into_iter().min()
    }

    fn count(&mut self, packet: &Packet) {
        self.packets += 1;
        let bytes = u64::try_from(packet.data.len()).unwrap_or(u64::MAX);
        self.delivered = self.delivered.saturating_add(bytes);
        self.largest = self.largest.max(bytes);
        self.last = self.position.get();
        self.first.get_or_insert(self.last);
        if let Some(meter) = self.tracks.iter_mut().find(|meter| meter.track == packet.track_id) {
            meter.add(packet);
        }
    }

    fn close_link(&mut self) {
        let longest = self.tracks.iter().map(Meter::length).max().unwrap_or_default();
        self.before = self.before.saturating_add(longest);
        self.tracks.clear();
    }

    fn conclude(mut self, end: End) -> (Option<Codec>, Length) {
        let floor = bound::floor(self.container, self.codec);
        let guessed = self.tracks.iter().any(Meter::is_guessed);
        self.close_link();
        let counted = u64::try_from(self.before.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let missing = match end {
            End::Uncompressed(rate) => return (self.codec, Length::AtMost(bound::longest(self.bytes, rate))),
            _ if self.first.is_none() || guessed => {
                let longest = bound::longest(self.bytes, floor).get().max(counted);
                return (self.codec, Length::AtMost(AudioMs::new(longest)));
            }
            End::Reached | End::CutOff | End::Broken => self.missing(end),
        };
        // A last packet that was cut off, and what the position is not known more closely than.
        let slack = self.largest * 2 + gauge::STEP;
        let length = if missing <= slack {
            Length::Measured(AudioMs::new(counted))
        } else {
            let rest = bound::longest(missing, floor).get();
            Length::AtMost(AudioMs::new(counted.saturating_add(rest)))
        };
        (self.codec, length)
    }

    /// The bytes that should have held packets and gave none.
    fn missing(&self, end: End) -> u64 {
        match (self.container, end) {
            // These demuxers look for the next packet wherever there is something else, and say nothing.
            (Container::Mp3 | Container::Flac | Container::Ogg, _) => {
                let framing = match self.container {
                    // A page's header is 27 bytes, and each 255 bytes of a packet take another (RFC 3533 §6).
                    Container::Ogg => self.packets * 28 + self.delivered / 255,
                    _ => 0,
                };
                let first = self.first.unwrap_or_default();
                self.bytes.saturating_sub(first).saturating_sub(self.delivered).saturating_sub(framing)
            }
            // An index at the end holds no audio, but it has been read to its end.
            (Container::Webm, End::Reached) if self.position.get() >= self.bytes => 0,
            (Container::Webm, _) => self.bytes.saturating_sub(self.last),
            (_, End::Reached | End::CutOff) if self.fragmented => self.bytes.saturating_sub(self.last),
            // Here a table says where the packets are; a decoder knows of no others.
            (_, End::Reached | End::CutOff) => 0,
            _ => self.bytes.saturating_sub(self.delivered),
        }
    }
}
