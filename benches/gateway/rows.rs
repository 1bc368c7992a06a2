//! The rows of the table: what is measured, and what must come of it.

use std::time::Duration;

use super::house::House;
use super::memory;
use super::proxies::Build;
use super::recordings::Format;
use super::rounds::{self, Figures, Load, Measure, Pace, median};
use super::splitting;
use super::uploads::Upload;

/// A row.
pub(crate) struct Row {
    /// As it is asked for.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    kind: Kind,
    limit: Bound,
    aim: Bound,
}

enum Kind {
    /// Uploads of so many bytes, on so many connections.
    Rounds { bytes: usize, connections: usize, measure: Measure },
    /// A recording that is split.
    Split(Format),
    /// What the gateway holds in memory meanwhile.
    Memory(Held),
}

/// What is open at once, and how many of them.
#[derive(Clone, Copy)]
enum Held {
    /// Slow uploads of forms.
    Forms { count: usize },
    /// The same as JSON.
    Json { count: usize },
    /// Long recordings that are split.
    Recordings { count: usize },
    /// Idle streams.
    Streams { count: usize },
}

/// What a value may be at most.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Later than direct, in milliseconds.
    Added(f64),
    /// So many times what nginx takes that holds requests.
    Buffered(f64),
    /// So many times what nginx takes that does not.
    Unbuffered(f64),
    /// So many times what ffmpeg takes.
    Ffmpeg(f64),
    MiB(f64),
    KiB(f64),
}

pub(crate) const ROWS: [Row; 13] = [
    Row {
        name: "40k-1",
        title: "40 kB, 1 connection: median wait, ms",
        kind: Kind::Rounds { bytes: 40_000, connections: 1, measure: Measure::Wait },
        limit: Bound::Added(0.30),
        aim: Bound::Added(0.15),
    },
    Row {
        name: "40k-32",
        title: "40 kB, 32 connections: CPU ms/request",
        kind: Kind::Rounds { bytes: 40_000, connections: 32, measure: Measure::Cpu },
        limit: Bound::Buffered(4.0),
        aim: Bound::Buffered(2.0),
    },
    Row {
        name: "1m-32",
        title: "1 MB, 32 connections: CPU ms/request",
        kind: Kind::Rounds { bytes: 1_000_000, connections: 32, measure: Measure::Cpu },
        limit: Bound::Buffered(1.3),
        aim: Bound::Unbuffered(1.0),
    },
    Row {
        name: "25m-8",
        title: "25 MB, 8 connections: CPU ms/request",
        kind: Kind::Rounds { bytes: 25_000_000, connections: 8, measure: Measure::Cpu },
        limit: Bound::Buffered(1.0),
        aim: Bound::Unbuffered(1.3),
    },
    Row {
        name: "slow-256",
        title: "256 slow uploads of 25 MB: peak, MiB",
        kind: Kind::Memory(Held::Forms { count: 256 }),
        limit: Bound::MiB(150.0),
        aim: Bound::MiB(64.0),
    },
    Row {
        name: "json-256",
        title: "256 JSON uploads of 18 MB: peak, MiB",
        kind: Kind::Memory(Held::Json { count: 256 }),
        limit: Bound::MiB(150.0),
        aim: Bound::MiB(64.0),
    },
    Row {
        name: "idle-2000",
        title: "2 000 idle streams: each, KiB",
        kind: Kind::Memory(Held::Streams { count: 2000 }),
        limit: Bound::KiB(40.0),
        aim: Bound::KiB(15.0),
    },
    Row {
        name: "first-event",
        title: "first event of a stream, ms",
        kind: Kind::Rounds { bytes: 40_000, connections: 1, measure: Measure::FirstEvent },
        limit: Bound::Added(1.0),
        aim: Bound::Added(0.2),
    },
    Row::split("split-webm", "1 h of WebM, split: CPU s", Format::WebM),
    Row::split("split-mp3", "1 h of MP3, split: CPU s", Format::Mp3),
    Row::split("split-m4a", "1 h of M4A, split: CPU s", Format::M4a),
    Row::split("split-flac", "1 h of FLAC, split: CPU s", Format::Flac),
    Row {
        name: "split-16",
        title: "16 recordings of HOURS, split: peak, MiB",
        kind: Kind::Memory(Held::Recordings { count: 16 }),
        limit: Bound::MiB(200.0),
        aim: Bound::MiB(100.0),
    },
];

/// What came of a row.
pub(crate) struct Finding {
    /// Medians of the rounds.
    pub(crate) figures: Figures,
    rounds: Vec<Figures>,
}

impl Row {
    const fn split(name: &'static str, title: &'static str, format: Format) -> Self {
        Self { name, title, kind: Kind::Split(format), limit: Bound::Ffmpeg(2.0), aim: Bound::Ffmpeg(1.0) }
    }

    /// Measures it. Rows that compare share a house; a row about memory has its own, and no other beside it.
    pub(crate) async fn measure(&self, shared: &mut Option<House>, pace: Pace) -> Result<Finding, String> {
        let (bytes, connections, measure) = match self.kind {
            Kind::Rounds { bytes, connections, measure } => (bytes, connections, measure),
            Kind::Split(format) => {
                *shared = None;
                return Ok(Finding::of(splitting::run(self.name, format, pace).await?));
            }
            Kind::Memory(held) => {
                *shared = None;
                let before = match Build::before() {
                    Some(build) => Some(held.measure(&build).await?),
                    None => None,
                };
                let voxgate = Some(held.measure(&Build::this()).await?);
                return Ok(Finding::of(vec![Figures { voxgate, before, ..Figures::default() }]));
            }
        };
        let house = shared.get_or_insert_with(House::of_all);
        let stream = measure == Measure::FirstEvent;
        let upload = if stream { Upload::streamed(&house.tokens, bytes) } else { Upload::form(&house.tokens, bytes) };
        let rounds = rounds::run(self.name, house, &Load { upload, connections, measure }, pace).await?;
        house.print_warnings();
        Ok(Finding::of(rounds))
    }

    /// Whether direct can be measured as the others are: it has no process of its own.
    pub(crate) fn shows_direct(&self) -> bool {
        matches!(self.limit, Bound::Added(_))
    }

    /// The limit and the aim, each with how it is written and whether it is kept, if that can be said.
    pub(crate) fn judge(&self, finding: &Finding) -> [(String, Option<bool>); 2] {
        [self.limit, self.aim].map(|bound| (bound.text(), finding.value(bound).map(|value| value <= bound.most())))
    }
}

impl Held {
    /// The memory that a build takes for it: at most and in MiB of uploads, for each and in KiB of streams.
    async fn measure(self, build: &Build) -> Result<f64, String> {
        let house = House::of(build);
        let tokens = &house.tokens;
        let value = match self {
            Self::Forms { count } => {
                let upload = Upload::form(tokens, 25_000_000);
                in_mib(memory::slow_uploads(&house, &upload, (count, Duration::from_secs(25))).await?)
            }
            Self::Json { count } => {
                let upload = Upload::json(tokens, 18_000_000);
                in_mib(memory::slow_uploads(&house, &upload, (count, Duration::from_secs(20))).await?)
            }
            Self::Recordings { count } => {
                // By default the gateway takes four hours; encoders add a little at the end.
                let seconds = f64::min(super::variable("HOURS", 1.0) * 3600.0, 4.0 * 3600.0 - 1.0);
                let length = Duration::from_secs_f64(seconds);
                let formats = [Format::WebM, Format::Mp3, Format::M4a];
                let uploads = formats.map(|format| Upload::file(tokens, &format.recording(length)));
                in_mib(memory::recordings(&house, &uploads, count).await?)
            }
            Self::Streams { count } => memory::idle_streams(&house, &Upload::streamed(tokens, 8_000), count).await?,
        };
        house.print_warnings();
        Ok(value)
    }
}

impl Finding {
    fn of(rounds: Vec<Figures>) -> Self {
        let middle = |which: fn(&Figures) -> Option<f64>| median(rounds.iter().filter_map(which));
        let figures = Figures {
            direct: middle(|round| round.direct),
            unbuffered: middle(|round| round.unbuffered),
            buffered: middle(|round| round.buffered),
            voxgate: middle(|round| round.voxgate),
            before: middle(|round| round.before),
            ffmpeg: middle(|round| round.ffmpeg),
            redis: middle(|round| round.redis),
            others: middle(|round| round.others),
        };
        Self { figures, rounds }
    }

    /// What is held against a bound: compared within each round, then the median of that.
    pub(crate) fn value(&self, bound: Bound) -> Option<f64> {
        median(self.rounds.iter().filter_map(|round| {
            let voxgate = round.voxgate?;
            match bound {
                Bound::Added(_) => Some(voxgate - round.direct?),
                Bound::Buffered(_) => Some(voxgate / round.buffered?),
                Bound::Unbuffered(_) => Some(voxgate / round.unbuffered?),
                Bound::Ffmpeg(_) => Some(voxgate / round.ffmpeg?),
                Bound::MiB(_) | Bound::KiB(_) => Some(voxgate),
            }
        }))
    }

    /// How much of the machine others took, in percent.
    pub(crate) const fn others(&self) -> Option<f64> {
        self.figures.others
    }

    /// What the gateway takes, as so many times what each nginx does or ffmpeg, or as what it adds to direct.
    pub(crate) fn compared(&self, row: &Row) -> String {
        match row.limit {
            Bound::Added(_) => self.value(row.limit).map_or(String::new(), |added| format!("+{added:.3} ms")),
            Bound::MiB(_) | Bound::KiB(_) => String::new(),
            Bound::Ffmpeg(_) => self.value(row.limit).map_or(String::new(), |times| format!("{times:.2} ×")),
            Bound::Buffered(_) | Bound::Unbuffered(_) => {
                let times = |bound| self.value(bound).map(|times| format!("{times:.2} ×"));
                let both = [times(Bound::Unbuffered(1.0)), times(Bound::Buffered(1.0))];
                both.into_iter().flatten().collect::<Vec<_>>().join(" / ")
            }
        }
    }
}

impl Bound {
    const fn most(self) -> f64 {
        match self {
            Self::Added(most)
            | Self::Buffered(most)
            | Self::Unbuffered(most)
            | Self::Ffmpeg(most)
            | Self::MiB(most)
            | Self::KiB(most) => most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Added(most) => format!("+{most:.2} ms"),
            Self::Buffered(most) => format!("{most} × buffered"),
            Self::Unbuffered(most) => format!("{most} × unbuffered"),
            Self::Ffmpeg(most) => format!("{most} × ffmpeg"),
            Self::MiB(most) => format!("{most} MiB"),
            Self::KiB(most) => format!("{most} KiB"),
        }
    }
}

fn in_mib(kib: u32) -> f64 {
    f64::from(kib) / 1024.0
}
