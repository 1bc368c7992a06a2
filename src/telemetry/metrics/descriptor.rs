//! The description of a metric family.

/// The kind of a family, in Prometheus's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that only increases.
    Counter,
    /// A value that increases and decreases.
    Gauge,
    /// A distribution of durations.
    Histogram,
}

impl Kind {
    /// Returns the kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The description of a family.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// The family's name.
    pub name: &'static str,
    /// The help text.
    pub help: &'static str,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// The family's kind.
    pub kind: Kind,
    /// The upper bounds of a histogram's buckets, in seconds.
    pub buckets: &'static [f64],
}
