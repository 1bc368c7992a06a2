//! Matroska that states rates which players do not believe: they take another, at which the same bytes play longer.

use super::Case;

/// Recordings of the same PCM, each of which states another rate.
pub(crate) fn all() -> Vec<Case> {
    let rates = [8000.0, 2_147_483_647.5, 2_147_483_648.0, 4e9, 1e300, f64::INFINITY, f64::NAN, -1.0, 0.5];
    let outputs = [None, Some(48_000.0), Some(4e9), Some(-1.0), Some(0.5)];
    let pairs = rates.iter().flat_map(|rate| outputs.map(|output| (*rate, output)));
    let case = |(rate, output): (f64, Option<f64>)| Case {
        name: format!("matroska of {rate} Hz, put out at {output:?}"),
        bytes: matroska(rate, output),
        honest: false,
    };
    pairs.map(case).collect()
}

/// An element of less than 16 KiB.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = 0x4000 | u16::try_from(content.len()).unwrap();
    [id, &size.to_be_bytes(), content].concat()
}

fn matroska(rate: f64, output: Option<f64>) -> Vec<u8> {
    let output = output.map(|output| element(&[0x78, 0xb5], &output.to_be_bytes())).unwrap_or_default();
    let samples =
        [element(&[0xb5], &rate.to_be_bytes()), output, element(&[0x9f], &[1]), element(&[0x62, 0x64], &[16])];
    let entry = [
        element(&[0xd7], &[1]),
        element(&[0x73, 0xc5], &[1]),
        element(&[0x83], &[2]),
        element(&[0x86], b"A_PCM/INT/LIT"),
        element(&[0xe1], &samples.concat()),
    ];
    let packet = [&[0x81, 0, 0, 0x80][..], &[0x11; 10_000]].concat();
    let cluster = |time: u8| {
        let block = element(&[0xa3], &packet);
        element(&[0x1f, 0x43, 0xb6, 0x75], &[element(&[0xe7], &[0, time]), block].concat())
    };
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &entry.concat()));
    let content = [tracks, cluster(0), cluster(100), cluster(200)].concat();
    let head = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"matroska"));
    [head, [&[0x18, 0x53, 0x80, 0x67, 0x01][..], &[0xff; 7]].concat(), content].concat()
}
