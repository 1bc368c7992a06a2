//! `[intake]`: the size and duration of an upload, and the spool that keeps recordings.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Section;

/// `[intake]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// The largest recording in bytes; the smaller of 536870912 and a quarter of `max_spool_disk_bytes`.
    pub max_audio_bytes: u64,
    /// The largest number of fields, counting each repetition; 128.
    pub max_fields: usize,
    /// The largest size of all text fields together in bytes, without speaker references; 262144.
    pub max_text_bytes: usize,
    /// The largest size of one `known_speaker_references` value in bytes; 1048576.
    pub max_reference_bytes: usize,
    /// True if a large recording is forwarded while it is still arriving.
    pub overlap: bool,
    /// The longest silence of a client during its upload; 30s.
    pub idle_timeout: Duration,
    /// The longest time for a whole body, plus the time of its bytes at 128 KiB a second; 5m.
    pub body_timeout: Duration,
    /// The average rate in bytes a second that a body must keep up after its first minute; 4096, 0 for none.
    pub min_bytes_per_second: u64,
}

/// The part of `[intake]` that says where recordings are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// The size in bytes above which a recording goes to a file; 1048576.
    pub spool_memory_bytes: usize,
    /// The memory for all recordings together, in bytes, beyond 64 KiB for each; 33554432. A recording beyond this goes
    /// to a file.
    pub max_spool_memory_bytes: u64,
    /// The spool quota: the size of all recordings in files together, in bytes; 8589934592. A recording beyond this is
    /// refused.
    pub max_spool_disk_bytes: u64,
    /// The directory of these files; the system's temporary directory.
    pub spool_dir: PathBuf,
}

/// The largest value of the limits in bytes. More than a gigabyte is a mistake, and sums of such limits would overflow.
const MAX_LIMIT: u64 = 1 << 30;
/// The largest recording where the settings do not say, in bytes. Four of them must fit into the spool quota.
const DEFAULT_MAX_AUDIO: u64 = 512 << 20;

impl Spool {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            spool_memory_bytes: section.value("spool_memory_bytes", 1_048_576),
            max_spool_memory_bytes: section.value("max_spool_memory_bytes", 33_554_432),
            max_spool_disk_bytes: section.value("max_spool_disk_bytes", 8_589_934_592),
            spool_dir: section.value("spool_dir", std::env::temp_dir()),
        }
    }
}

impl Intake {
    /// Reads the rest of the section after `spool`.
    pub(super) fn read(mut section: Section, spool: &Spool) -> Self {
        let settings = Self {
            max_audio_bytes: section
                .optional("max_audio_bytes")
                .unwrap_or(DEFAULT_MAX_AUDIO.min(spool.max_spool_disk_bytes / 4).max(1)),
            max_fields: section.value("max_fields", 128),
            max_text_bytes: section.value("max_text_bytes", 262_144),
            max_reference_bytes: section.value("max_reference_bytes", 1_048_576),
            overlap: section.value("overlap", true),
            idle_timeout: section.value("idle_timeout", Duration::from_secs(30)),
            body_timeout: section.value("body_timeout", Duration::from_mins(5)),
            min_bytes_per_second: section.ranged("min_bytes_per_second", 0..=MAX_LIMIT).unwrap_or(4096),
        };
        let positive = [
            ("max_audio_bytes", settings.max_audio_bytes),
            ("max_fields", settings.max_fields.try_into().unwrap_or(u64::MAX)),
            ("max_text_bytes", settings.max_text_bytes.try_into().unwrap_or(u64::MAX)),
        ];
        for (key, value) in positive {
            if !(1..=MAX_LIMIT).contains(&value) {
                section.problem(key, format!("got {value}; takes a number from 1 to {MAX_LIMIT}"));
            }
        }
        let in_memory = settings.max_reference_bytes.max(spool.spool_memory_bytes);
        if u64::try_from(in_memory).is_ok_and(|bytes| bytes > MAX_LIMIT) {
            section.problem("max_reference_bytes", format!("it and spool_memory_bytes take {MAX_LIMIT} at most"));
        }
        let (disk, recording) = (spool.max_spool_disk_bytes, settings.max_audio_bytes);
        if disk < recording {
            section.problem("max_spool_disk_bytes", format!("got {disk}; takes max_audio_bytes ({recording}) or more"));
        }
        section.finish();
        settings
    }
}
