//! Every metric family, to count with.

#![allow(clippy::doc_markdown, reason = "Prometheus shows the help as it stands")]

use super::kinds::{Counter, Gauge, Histogram, Sum};
use super::list::with_every_family;

macro_rules! families {
    ($(#[doc = $help:literal] $family:ident: $kind:ident<$n:literal> = $name:literal $labels:tt $(, $more:expr)?;)+) => {
        $(
            #[doc = $help]
            pub static $family: $kind<$n> = family!($kind, $name, $help.trim_ascii(), $labels $(, $more)?);
        )+
    };
}

macro_rules! family {
    // The exporter keeps the buckets.
    (Histogram, $name:expr, $help:expr, $labels:expr, $buckets:expr) => {
        Histogram::new($name, $help, $labels)
    };
    ($kind:ident, $name:expr, $help:expr, $labels:expr $(, $places:expr)?) => {
        $kind::new($name, $help, $labels $(, $places)?)
    };
}

with_every_family!(families);
