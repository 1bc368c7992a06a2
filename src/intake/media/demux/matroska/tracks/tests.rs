use super::*;

fn private(parts: &[&[u8]]) -> Vec<u8> {
    let mut private = Private::default();
    for part in parts {
        private.push(part);
    }
    private.finish()
}

#[test]
fn vorbis_comments_of_any_size_are_left_out() {
    let identification = [&b"\x01vorbis"[..], &[7; 23]].concat();
    let setup = [&b"\x05vorbis"[..], &[9; 4000]].concat();
    for size in [0, 16, 255, 4096, 70_000, 1_000_000] {
        let mut lacing = vec![2, 30];
        lacing.extend(std::iter::repeat_n(255, size / 255));
        lacing.push(u8::try_from(size % 255).unwrap());
        let whole = [&lacing[..], &identification, &vec![b'c'; size], &setup].concat();
        let expected = vorbis_setup(&identification, &setup);
        assert_eq!(private(&[&whole]), expected, "{size}");
        assert_eq!(private(&whole.chunks(7).collect::<Vec<_>>()), expected, "{size}");
    }
}

#[test]
fn other_private_data_is_kept_up_to_a_bound() {
    assert_eq!(private(&[b"\x02\x01\x01other", b"more"]), b"\x02\x01\x01othermore");
    assert_eq!(private(&[&vec![1; 100_000]]).len(), MAX_SETUP);
}

fn entry(codec_id: &str, encodings: &[(u32, &[u8])]) -> Result<Track, MediaError> {
    let mut entry = Entry::default();
    entry.set(id::TRACK_NUMBER, &[1]);
    entry.set(id::CODEC_ID, codec_id.as_bytes());
    for (id, content) in encodings {
        if *id == id::CONTENT_ENCODING {
            entry.open(*id);
        } else {
            entry.set(*id, content);
        }
    }
    entry.finish(Container::Webm)
}

#[test]
fn encodings_that_hide_packets_are_refused_by_name() {
    let what = |encodings: &[(u32, &[u8])]| entry("A_MPEG/L3", encodings).unwrap_err().to_string();
    let encoding = (id::CONTENT_ENCODING, &[][..]);
    assert!(what(&[encoding]).contains("zlib"));
    assert!(what(&[encoding, (id::COMPRESSION_ALGORITHM, &[0])]).contains("zlib"));
    assert!(what(&[encoding, (id::COMPRESSION_ALGORITHM, &[1])]).contains("bzlib"));
    assert!(what(&[encoding, (id::COMPRESSION_ALGORITHM, &[2])]).contains("lzo"));
    assert!(what(&[encoding, (id::ENCODING_TYPE, &[1])]).contains("encrypts"));
    let strip = [encoding, (id::COMPRESSION_ALGORITHM, &[3][..]), (id::COMPRESSION_SETTINGS, &[0xff, 0xfb])];
    assert!(what(&[&strip[..], &strip].concat()).contains("twice"));
    assert_eq!(entry("A_MPEG/L3", &strip).unwrap().audio.unwrap().stripped, [0xff, 0xfb]);
    // Subtitles are often compressed.
    assert!(entry("S_TEXT/UTF8", &[encoding]).unwrap().audio.is_none());
}

#[test]
fn codec_ids_are_mapped() {
    let name = |codec_id| entry(codec_id, &[]).unwrap().audio.map(|audio| audio.params.codec.map(Codec::name));
    assert_eq!(name("A_OPUS"), Some(Ok("opus")));
    assert_eq!(name("A_AAC/MPEG4/LC/SBR"), Some(Ok("aac")));
    assert_eq!(name("A_PCM/INT/LIT\0junk"), Some(Ok("pcm_s16le")));
    assert_eq!(name("A_SOMETHING"), Some(Err("A_SOMETHING".to_owned())));
    assert_eq!(name("V_VP8"), None);
    assert_eq!(name(""), None);
}

#[test]
fn aac_without_a_configuration_plays_at_the_rate_of_its_core() {
    let rate = |codec_id: &str, private: &[u8]| {
        let mut entry = Entry::default();
        entry.set(id::CODEC_ID, codec_id.as_bytes());
        entry.set(id::SAMPLING_FREQUENCY, &8000_f32.to_be_bytes());
        entry.set(id::OUTPUT_SAMPLING_FREQUENCY, &48_000_f32.to_be_bytes());
        entry.private.push(private);
        entry.finish(Container::Webm).unwrap().audio.unwrap().params.rate
    };
    assert_eq!((rate("A_AAC", &[]), rate("A_AAC/MPEG4/LC/SBR", &[])), (8000, 8000));
    assert_eq!((rate("A_AAC", &[0x11, 0x90]), rate("A_PCM/INT/LIT", &[])), (48_000, 48_000));
}

#[test]
fn a_rate_that_players_do_not_accept_is_the_usual_one() {
    let rate = |stated: &[u8], output: &[u8]| {
        let mut entry = Entry::default();
        entry.set(id::CODEC_ID, b"A_PCM/INT/LIT");
        entry.set(id::SAMPLING_FREQUENCY, stated);
        entry.set(id::OUTPUT_SAMPLING_FREQUENCY, output);
        entry.finish(Container::Webm).unwrap().audio.unwrap().params.rate
    };
    assert_eq!(rate(&44_100_f32.to_be_bytes(), &[]), 44_100);
    for stated in [2_147_483_648.0, 4e9, 1e300, f64::INFINITY, f64::NAN, -1.0, -1e300] {
        assert_eq!(rate(&stated.to_be_bytes(), &[]), 8000, "{stated}");
        assert_eq!(rate(&48_000_f64.to_be_bytes(), &stated.to_be_bytes()), 48_000, "{stated}");
    }
    assert_eq!(rate(&4e9_f32.to_be_bytes(), &[]), 8000);
    assert_eq!(rate(&[], &[]), 8000);
}
