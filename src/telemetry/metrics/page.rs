//! The page that Prometheus scrapes: counters and histograms, then current gauges.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::descriptor::Descriptor;
use super::families::{AUDIO_SECONDS, CUTTING_SECONDS, PIECE_SECONDS, SILENCE_SECONDS, SPEND};
use super::kinds::{Gauge, Sum};
use super::recorder;

/// A page in progress.
#[derive(Debug)]
pub struct Page(String);

impl Page {
    /// Begins a page with all counters and histograms.
    pub fn begin() -> Self {
        let mut page = Self(recorder::render());
        for seconds in [&AUDIO_SECONDS, &PIECE_SECONDS, &SILENCE_SECONDS] {
            page.sum(seconds);
        }
        page.sum(&CUTTING_SECONDS);
        page.sum(&SPEND);
        page
    }

    fn sum<const N: usize>(&mut self, sum: &'static Sum<N>) {
        self.write(&sum.descriptor(), sum.samples());
    }

    /// Writes a gauge, one sample for each set of label values. Keeps only the last of several samples with equal
    /// labels, since Prometheus rejects the whole page otherwise.
    pub fn gauge<'a, const N: usize>(
        &mut self,
        gauge: &'static Gauge<N>,
        samples: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) {
        self.write(&gauge.descriptor(), samples.into_iter().collect());
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        self.0
    }

    fn write<const N: usize>(&mut self, family: &Descriptor, samples: BTreeMap<[&str; N], impl Display>) {
        let Descriptor { name, help, labels, kind, .. } = family;
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
        for (values, value) in samples {
            let pairs: Vec<_> = labels.iter().zip(values).map(|(label, value)| pair(label, value)).collect();
            let braces = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(self.0, "{name}{braces} {value}");
        }
        self.0.push('\n');
    }
}

fn pair(label: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{label}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::super::SPOOL_BYTES;
    use super::*;

    #[test]
    fn what_stands_in_a_label_cannot_break_out_of_it() {
        let mut page = Page(String::new());
        page.gauge(&SPOOL_BYTES, [(["a\"} 1\n\\"], 7), (["memory"], 1), (["memory"], 2)]);
        let samples: Vec<_> = page.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(
            samples,
            [r#"voxgate_spool_bytes{place="a\"} 1\n\\"} 7"#, r#"voxgate_spool_bytes{place="memory"} 2"#]
        );
    }
}
