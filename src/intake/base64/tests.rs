use ::base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

fn decode_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Base64Error> {
    let (mut decoder, mut out) = (Decoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

fn decode_whole(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    decode_in_pieces([text])
}

#[test]
fn both_alphabets_with_and_without_padding_decode_to_the_same() {
    let audio = [0xfb, 0xff, 0xfe, 0x00];
    for text in ["+//+AA==", "+//+AA", "-__-AA==", "-__-AA", "+_/-AA", " +//+\r\nAA==\n", "+//+A A = =\t"] {
        assert_eq!(decode_whole(text.as_bytes()).as_deref(), Ok(&audio[..]), "{text:?}");
    }
    assert_eq!(decode_whole(b""), Ok(Vec::new()));
}

#[test]
fn faults_are_told_by_kind_and_offset() {
    let cases = [
        ("AAAA%AAA", Base64Error::InvalidByte { offset: 4, byte: b'%' }),
        ("AA\nAA\u{e9}", Base64Error::InvalidByte { offset: 5, byte: 0xc3 }),
        ("AA==!", Base64Error::InvalidByte { offset: 4, byte: b'!' }),
        ("=", Base64Error::MisplacedPadding { offset: 0 }),
        ("AAAAA=", Base64Error::MisplacedPadding { offset: 5 }),
        ("AAAA=", Base64Error::MisplacedPadding { offset: 4 }),
        ("AA===", Base64Error::MisplacedPadding { offset: 4 }),
        ("AA== AAAA", Base64Error::DataAfterPadding { offset: 5 }),
        ("AAA=A", Base64Error::DataAfterPadding { offset: 4 }),
        ("AA=", Base64Error::Truncated { length: 3 }),
        ("AAAAA", Base64Error::Truncated { length: 5 }),
        ("AAAAAB==", Base64Error::TrailingBits { offset: 5 }),
        ("AAAAAA/ ", Base64Error::TrailingBits { offset: 6 }),
    ];
    for (text, fault) in cases {
        assert_eq!(decode_whole(text.as_bytes()), Err(fault), "{text:?}");
    }
}

#[test]
fn a_bad_character_at_the_end_of_a_long_text_is_found_where_it_is() {
    let mut text = vec![b'A'; 1 << 20];
    text.extend_from_slice(b"AA*A");
    assert_eq!(decode_whole(&text), Err(Base64Error::InvalidByte { offset: (1 << 20) + 2, byte: b'*' }));
}

#[test]
fn messages_show_the_byte_and_never_content() {
    let message = |byte| Base64Error::InvalidByte { offset: 7, byte }.to_string();
    assert_eq!(message(b'%'), "`%` at offset 7 is not a base64 character");
    assert_eq!(message(7), "control character 0x07 at offset 7 is not a base64 character");
    assert_eq!(message(0xc3), "a character outside ASCII at offset 7 is not a base64 character");
}

proptest! {
    #[test]
    fn what_the_crate_encodes_comes_back_however_it_is_cut(
        audio in prop::collection::vec(any::<u8>(), 0..40_000),
        url_safe: bool,
        line in prop::option::of(1..100_usize),
        piece in 1..20_000_usize,
    ) {
        let mut text = if url_safe { URL_SAFE.encode(&audio) } else { STANDARD.encode(&audio) }.into_bytes();
        if let Some(line) = line {
            text = text.chunks(line).collect::<Vec<_>>().join(&b"\r\n"[..]);
        }
        prop_assert_eq!(decode_in_pieces(text.chunks(piece)), Ok(audio));
    }

    #[test]
    fn any_text_gets_the_crates_verdict_however_it_is_cut(
        lead in prop_oneof![Just(0), 0..3 * SHORT, BLOCK - 4..BLOCK + 4],
        end in r"[A-D+/=_ \n-]{0,12}|[A-D]{0,9}[AQgw]={0,3}|.{0,6}",
        piece in prop_oneof![1..8_usize, SHORT - 2..2 * SHORT],
    ) {
        let text = "A".repeat(lead) + &end;
        let whole = decode_whole(text.as_bytes());
        prop_assert_eq!(decode_in_pieces(text.as_bytes().chunks(piece)), whole.clone());

        let plain = text.replace([' ', '\n', '\r', '\t', '\u{c}'], "").replace('-', "+").replace('_', "/");
        let verdict = STANDARD.decode(&plain).or_else(|_| STANDARD_NO_PAD.decode(&plain));
        prop_assert_eq!(whole.ok(), verdict.ok());
    }
}
