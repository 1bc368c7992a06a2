//! What is printed at the end.

use super::machine;
use super::rows::{Finding, Row};

const METHOD: &str = "\
Method. All run on this machine, over loopback: clients and provider on a thread each of one process, the gateway's
release build, nginx, and Redis. Targets take turns: direct, nginx without and with request buffering, voxgate, and again.
Each value is the median of the rounds; comparisons are made within a round first. Uploads are WAV files of noise, the same
ones for all; the provider reads each to its end, checks its length and answers at once. Every answer is checked.
CPU is what the process takes in user space and in the kernel, with its threads and its workers, by the kernel's clock of
the process, from before the first request to after the last, divided by their number; Redis's share stands by itself.
voxgate checks an HS256 token of each of 100 callers in turn, holds every limit of a plan (none is reached) in Redis over
TCP and logs each request to a file. Its settings are the defaults but for addresses, folders, keys and that plan.
nginx has 2 workers, connections to the provider that are kept, no log, up to 128k of a body in memory (by its default
of 16k, 40 kB would go to a file at four times the cost), else its defaults.
Memory is of the gateway's process alone: the kernel's peak of resident memory since all was warm, at 256 uploads that
are open at once, each sent in 64 KiB bits over 25 s (JSON: 20 s); and what is resident more with 2000 idle streams than
before, divided by 2000.
\"before\" is another build of the gateway, the program that BEFORE= names: in rounds the two take turns, each with a
Redis of its own; a row about memory starts one after the other.
Recordings that are split are one sentence over and over. The gateway's time has the upload, the decoding, the cutting, the
encoding and the requests of the pieces; ffmpeg decodes the same file to 16 kHz, looks for silence and encodes FLAC, on
one thread. Of 16 recordings at once, each has HOURS= hours; they are WebM, MP3 and M4A in turn.";

/// The table, with a line for each row.
pub(crate) fn print(findings: &[(&Row, Result<Finding, String>)], versions: &str) {
    let mut lines = vec![
        [
            "",
            "direct",
            "nginx unbuffered",
            "nginx buffered",
            "voxgate",
            "before",
            "ffmpeg",
            "Redis",
            "voxgate to others",
            "must reach",
            "",
            "aim",
            "",
        ]
        .map(str::to_owned),
    ];
    let mut failures = Vec::new();
    for (row, finding) in findings {
        match finding {
            Ok(finding) => lines.push(line(row, finding)),
            Err(error) => failures.push(format!("FAILED: {}: {error}", row.name)),
        }
    }
    println!("\n{}", aligned(&lines));
    println!(
        "\"voxgate to others\": to nginx unbuffered / to nginx buffered, to ffmpeg, or what is added to direct.\n"
    );
    println!("{METHOD}\n\n{}\n{versions}", machine::description());
    let others = findings.iter().filter_map(|(_, finding)| finding.as_ref().ok()?.others());
    if let Some(most) = others.max_by(f64::total_cmp) {
        println!(
            "Other processes, and the kernel by itself, took {most:.0} % of the machine in the row where they took most."
        );
    }
    for failure in failures {
        println!("\n{failure}");
    }
}

fn line(row: &Row, finding: &Finding) -> [String; 13] {
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), number);
    let figures = finding.figures;
    let [limit, aim] = row.judge(finding);
    let verdict = |kept: Option<bool>| match kept {
        Some(true) => "reached".to_owned(),
        Some(false) => "MISSED".to_owned(),
        None => "?".to_owned(),
    };
    [
        row.title.to_owned(),
        cell(figures.direct.filter(|_| row.shows_direct())),
        cell(figures.unbuffered),
        cell(figures.buffered),
        cell(figures.voxgate),
        cell(figures.before),
        cell(figures.ffmpeg),
        cell(figures.redis.filter(|_| !row.shows_direct())),
        finding.compared(row),
        limit.0,
        verdict(limit.1),
        aim.0,
        verdict(aim.1),
    ]
}

/// With three digits that count, more or less.
fn number(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.3}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

fn aligned<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
            let gap = " ".repeat(width - cell.chars().count());
            let padded = if (1..8).contains(&column) { format!("{gap}{cell}") } else { format!("{cell}{gap}") };
            text.push_str(&padded);
            text.push_str("  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
