use super::*;

/// A header of a frame of 192 samples at 44.1 kHz, two channels and 16 bits.
const HEAD: [u8; 6] = [0xff, 0xf8, 0x19, 0x18, 0x00, 0xed];

#[test]
fn a_call_searches_a_stretch_and_no_more() {
    assert!(FlacFrame::parse(&[&HEAD[..], &[0; 10]].concat()).is_some(), "it is a header");
    // Nothing but headers; headers among other bytes; no bytes that could begin a header.
    for kind in [HEAD.to_vec(), [&HEAD[..], &[1; 5000]].concat(), [HEAD.to_vec(), vec![1; 2_999_000]].concat()] {
        let mut flac = Flac::default();
        let bytes = kind.repeat(3_000_000 / kind.len());
        flac.push(&bytes);
        flac.end();
        let (mut calls, mut before) = (0, 0);
        while calls < 3000 && flac.next().is_some() {
            calls += 1;
            let examined = flac.current.as_ref().map_or(0, |current| current.examined);
            assert!(examined.saturating_sub(before) <= MAX_SEARCHED + 1, "{before} to {examined}");
            assert!(usize::try_from(flac.damaged).unwrap() <= calls, "one search ends in a call");
            before = examined;
        }
        assert!(calls >= MAX_FRAME / MAX_SEARCHED, "{calls}");
    }
}
