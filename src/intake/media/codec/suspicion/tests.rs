use proptest::prelude::*;

use super::*;

/// Builds a frame of AC-3: 256 bytes, 32 ms.
fn ac3() -> Vec<u8> {
    let mut frame = vec![0x11; 256];
    frame[..7].copy_from_slice(&[0x0b, 0x77, 0, 0, 0x08, 0x40, 0x43]);
    frame
}

#[test]
fn frames_behind_a_header_of_pcm_are_found() {
    let mpeg = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
    let adts = [0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7];
    for frame in [ac3(), mpeg, adts.to_vec()] {
        assert_eq!(suspected_codec(&frame.repeat(9)), Some(table::DISGUISED));
    }
    assert_eq!(suspected_codec(&[0x56, 0xe0, 2, 9, 9].repeat(9)), Some(table::AAC_LATM));
    assert_eq!(suspected_codec(&[&[0; 4], TRUEHD, &[0; 900]].concat()), Some(table::TRUEHD));
    assert_eq!(suspected_codec(&[&EXTENSION[..], &[0; 900]].concat().repeat(4)), Some(table::DTS_EXPRESS));
}

#[test]
fn frames_that_lead_are_mpeg_to_everybody() {
    let frame = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
    assert_eq!(leading_mpeg(&frame.repeat(9), false), Some(7 * 192));
    assert_eq!(leading_mpeg(&[vec![0; 99], frame.repeat(9)].concat(), false), Some(99 + 7 * 192));
    assert_eq!((leading_mpeg(&frame.repeat(6), false), leading_mpeg(&frame.repeat(6), true)), (None, Some(6 * 192)));
    for other in [[&b"x"[..], &frame.repeat(9)].concat(), [&frame.repeat(6), &b"x"[..]].concat(), vec![0; 99]] {
        assert_eq!(leading_mpeg(&other, true), None);
    }
}

#[test]
fn what_is_in_no_frame_is_stray_where_other_frames_could_play() {
    let frame = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
    for (gap, stray) in [(vec![0x33; 2_000], 0), (vec![0x33; 3_000], 952), (vec![0; 9_000], 0), (vec![0xff; 9_000], 0)]
    {
        let mut count = AmongOthers::new(true);
        super::super::play(&mut count, [&[gap, frame.repeat(9)].concat()[..]]);
        assert_eq!((count.stray(), count.played() / 1_000_000), (stray, 9 * 24));
    }
    // The longest of the possible durations counts.
    let mut count = AmongOthers::new(true);
    assert_eq!(super::super::play(&mut count, [&[frame.repeat(2), ac3().repeat(50)].concat()[..]]), 1_600);
}

#[test]
fn bursts_of_s_pdif_are_found() {
    let burst = [IEC_61937, &[0; 6_140]].concat();
    assert_eq!(suspected_codec(&burst.repeat(2)), Some(table::IEC_61937));
    assert_eq!(suspected_codec(&burst), None);
}

fn noise() -> Vec<u8> {
    let mut random = 7_u32;
    let mut byte = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random.to_be_bytes()[0]
    };
    (0..128 * 1024).map(|_| byte()).collect()
}

#[test]
fn noise_is_pcm() {
    for bytes in [noise(), vec![0; 9_999], vec![0xff; 9_999], Vec::new()] {
        assert_eq!(examine(&bytes), None);
        assert!(is_plain(&bytes), "at the first look");
    }
}

/// The beginnings of frames of every kind, and what may come between frames.
fn snippet() -> impl Strategy<Value = Vec<u8>> {
    let mpeg = [&[0xff, 0xfb, 0x54, 0xc4][..], &[0x55; 188]].concat();
    let adts = vec![0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7];
    let dts = [&[0x7f, 0xfe, 0x80, 0x01, 0xfc, 0x3c, 0x3f, 0xf0, 0xb5, 0xe0, 0, 0][..], &[0; 84]].concat();
    let narrow = vec![0x1f, 0xff, 0xe8, 0x00, 0x07, 0xf0, 0, 0, 0, 0, 0, 0];
    let loas = vec![0x56, 0xe0, 2, 9, 9];
    let marks = [IEC_61937, TRUEHD, &EXTENSION, &[0x77, 0x0b], &[0x0b, 0x77], &[0xff], &[0x56]].map(<[u8]>::to_vec);
    let frames = [mpeg.clone(), mpeg[..4].to_vec(), adts.clone(), adts[..7].to_vec(), dts, narrow, loas, ac3()];
    prop_oneof![
        4 => proptest::sample::select([&frames[..], &marks].concat()),
        1 => (0..99_usize).prop_map(|count| vec![0; count]),
        1 => proptest::collection::vec(any::<u8>(), 0..99),
    ]
}

proptest! {
    /// Nothing passes the screen that the closer look would suspect.
    #[test]
    fn what_is_plain_is_never_suspected(
        parts in proptest::collection::vec((snippet(), 1..5_usize, 0..3_u8), 0..40), many in 1..4_usize,
    ) {
        let repeated = |(part, times, scale): &(Vec<u8>, usize, u8)| part.repeat(if *scale == 0 { times * 25 } else { *times });
        let bytes = parts.iter().flat_map(repeated).collect::<Vec<_>>().repeat(many);
        if is_plain(&bytes) {
            prop_assert_eq!(examine(&bytes), None);
        }
    }
}

#[test]
fn the_kind_that_plays_longest_counts() {
    let bytes = [ac3().repeat(50), [0xff, 0xf1, 0x60, 0x40, 0x01, 0x7f, 0xfc, 0, 0, 0, 7].repeat(10)].concat();
    assert_eq!(super::super::play(&mut Disguised::default(), [&bytes[..]]), 1_600);
}
