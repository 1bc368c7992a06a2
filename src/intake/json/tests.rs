//! Tests of the sieve against `serde_json` and the `base64` crate, which read the whole body.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{JsonError, Sieve};

const NO_LIMIT: usize = 1 << 20;

type Read = Result<(Vec<u8>, Map<String, Value>), JsonError>;

fn read_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut sieve, mut audio) = (Sieve::new(NO_LIMIT), Vec::new());
    for piece in pieces {
        sieve.push(piece, &mut audio)?;
    }
    Ok((audio, sieve.finish()?))
}

fn read(body: &str) -> Read {
    read_in_pieces([body.as_bytes()])
}

fn refusal(body: &str) -> String {
    read(body).expect_err(body).to_string()
}

/// Makes results comparable: reduces an error to the message that a client sees.
fn comparable(read: Read) -> Result<(Vec<u8>, Map<String, Value>), String> {
    read.map_err(|error| error.to_string())
}

#[test]
fn audio_is_found_wherever_the_contract_allows_it() {
    for (body, options) in [
        (
            r#"{"model":"gpt-transcribe","audio":"SGVs","language":"en"}"#,
            json!({"model": "gpt-transcribe", "language": "en"}),
        ),
        (r#"{"audio":"data:audio/webm;codecs=opus;base64,SGVs"}"#, json!({})),
        (r#"{"audio":" data:audio/webm;base64,SGVs"}"#, json!({})),
        (r#"{"audio":"\n\t DATA:audio/webm;base64,SGVs "}"#, json!({})),
        (r#"{"audio":"  SGVs"}"#, json!({})),
        (r#"{"audio":"DATA:;BASE64,SGVs"}"#, json!({})),
        (r#"{"audio":"d\u0061ta:audio\/wav;base64,SGVs"}"#, json!({})),
        (r#"{"input_audio":{"data":"SGVs","format":"wav"},"n":1}"#, json!({"input_audio": {"format": "wav"}, "n": 1})),
        (r#"{"input_audio":{"format":"wav"},"audio":"SGVs"}"#, json!({"input_audio": {"format": "wav"}})),
        (r#"{ "\u0061udi\u006f" : "\u0053GV\u0073\n" }"#, json!({})),
        (
            r#"{"x":{"audio":"no"},"data":"no","y":["audio",{"data":"\""}],"audio":"SGVs"}"#,
            json!({"x": {"audio": "no"}, "data": "no", "y": ["audio", {"data": "\""}]}),
        ),
        ("\u{feff}\r\n{\"audio\":\"SGVs\"}\n", json!({})),
    ] {
        let (audio, left) = read(body).expect(body);
        assert_eq!(audio, b"Hel", "{body}");
        assert_eq!(Value::Object(left), options, "{body}");
    }
}

#[test]
fn base64_that_begins_like_a_data_url_is_base64() {
    assert_eq!(read(r#"{"audio":"data"}"#).unwrap().0, STANDARD.decode("data").unwrap());
    assert_eq!(read(r#"{"audio":"daQ="}"#).unwrap().0, STANDARD.decode("daQ=").unwrap());
    assert_eq!(read(r#"{"audio":""}"#).unwrap().0, b"");
}

#[test]
fn options_keep_their_order() {
    let (_, options) = read(r#"{"z":1,"audio":"","a":2,"input_audio":{},"m":3}"#).unwrap();
    assert_eq!(options.keys().collect::<Vec<_>>(), ["z", "a", "input_audio", "m"]);
}

#[test]
fn each_fault_is_told_with_its_field_and_what_came() {
    let cases = [
        (" \n", "the body is empty; it must be a JSON object with the audio as base64 in `audio`"),
        ("[1]", "the body must be a JSON object, not an array"),
        ("\"audio\"", "the body must be a JSON object, not a string"),
        ("{}", "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`"),
        (
            r#"{"input_audio":{"format":"wav"}}"#,
            "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`",
        ),
        (r#"{"audio":null}"#, "`audio` must be a string of base64, not null"),
        (r#"{"audio": 12}"#, "`audio` must be a string of base64, not a number"),
        (r#"{"audio":{"data":""}}"#, "`audio` must be a string of base64, not an object"),
        (r#"{"input_audio":{"data":[1]}}"#, "`input_audio.data` must be a string of base64, not an array"),
        (r#"{"input_audio":"AAAA"}"#, "`input_audio` must be an object with the base64 in its `data`, not a string"),
        (r#"{"input_audio":[]}"#, "`input_audio` must be an object with the base64 in its `data`, not an array"),
        (r#"{"input_audio":false}"#, "`input_audio` must be an object with the base64 in its `data`, not a boolean"),
        (r#"{"audio":"","audio":""}"#, "the body has audio in `audio` and again in `audio`; one recording is taken"),
        (
            r#"{"audio":"","input_audio":{"data":""}}"#,
            "the body has audio in `audio` and again in `input_audio.data`; one recording is taken",
        ),
        (r#"{"audio":"","model":"a","model":"b"}"#, "`model` is given more than once"),
        (r#"{"model":"a","#, "the JSON body ends before it is complete"),
        (r#"{"model":"a"#, "the JSON body ends before it is complete"),
        (r#"{"audio":"AAAA"#, "the JSON body ends in the middle of `audio`"),
        (r#"{"input_audio":{"data":"AA\"#, "the JSON body ends in the middle of `input_audio.data`"),
        (r#"{"audio":"AA%A"}"#, "`audio` is not valid base64: `%` at offset 2 is not a base64 character"),
        (
            r#"{"audio":"data:audio/wav;base64,AA%A"}"#,
            "`audio` is not valid base64: `%` at offset 2 is not a base64 character",
        ),
        (r#"{"audio":"  AA%A"}"#, "`audio` is not valid base64: `%` at offset 4 is not a base64 character"),
        (
            r#"{"audio":"  data:audio/wav;base64,AA%A"}"#,
            "`audio` is not valid base64: `%` at offset 2 is not a base64 character",
        ),
        (
            r#"{"model":"m","file":"AAAA"}"#,
            "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`, not in `file`",
        ),
        (
            r#"{"Audio_File":"AAAA"}"#,
            "the body has no audio: give it as base64 in `audio`, or in `input_audio.data`, not in `Audio_File`",
        ),
        (
            r#"{"audio":"AA\u00e9A"}"#,
            "`audio` is not valid base64: a character outside ASCII at offset 2 is not a base64 character",
        ),
        (r#"{"audio":"AA\q"}"#, "`audio` has an escape sequence that JSON does not know"),
        (r#"{"audio":"AA\u00g1"}"#, "`audio` has an escape sequence that JSON does not know"),
    ];
    for (body, message) in cases {
        assert_eq!(refusal(body), message, "{body}");
    }
}

#[test]
fn line_breaks_of_a_wrapping_encoder_are_explained() {
    let message = refusal("{\"audio\":\"AAAA\nAAAA\"}");
    assert!(message.contains("raw control character (0x0a)") && message.contains("without wrapping"), "{message}");
}

#[test]
fn a_data_url_that_is_not_base64_or_too_long_is_refused() {
    let long = format!(r#"{{"audio":"data:{};base64,AAAA"}}"#, "a".repeat(256));
    for body in [
        r#"{"audio":"data:audio/wav,AAAA"}"#,
        r#"{"audio":"data:audio/wav;base64"}"#,
        r#"{"audio":"data:\u00e9;base64,"}"#,
        &long,
    ] {
        assert!(
            refusal(body).starts_with("`audio` begins with `data:` but not as data:<type>;base64,<base64>"),
            "{body}"
        );
    }
}

#[test]
fn malformed_json_is_placed_without_being_quoted() {
    let message = refusal(r#"{"audio":"AAAA" "model":"secret"}"#);
    assert_eq!(
        message,
        "the body is not valid JSON: expected `,` or `}` at line 1 column 13 \
         (counted as if the audio were an empty string)"
    );
    assert!(refusal(r#"{"audio":""} x"#).contains("trailing characters"));
    assert!(refusal(r#"{"audio":"","model":secret}"#).contains("expected value"));
}

#[test]
fn deep_json_is_refused() {
    let message = refusal(&format!(r#"{{"audio":"","x":{}"#, "[".repeat(500_000)));
    assert!(message.contains("recursion limit exceeded"), "{message}");
}

#[test]
fn only_what_is_not_audio_counts_towards_the_limit() {
    let body = format!(r#"{{"audio":"{}","model":"x"}}"#, "A".repeat(4000));
    let limit = r#"{"audio":"","model":"x"}"#.len();
    let mut sieve = Sieve::new(limit);
    sieve.push(body.as_bytes(), &mut Vec::new()).unwrap();
    assert!(sieve.finish().is_ok());
    let refused = Sieve::new(limit - 1).push(body.as_bytes(), &mut Vec::new());
    assert!(matches!(refused, Err(JsonError::TooLarge { limit: 23 })), "{refused:?}");
}

/// Builds a JSON string for `text`, with escapes chosen by `seed`.
fn quoted(text: &str, seed: u64) -> String {
    let mut state = seed;
    let mut json = String::from("\"");
    for character in text.chars() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 60, character) {
            (0, _) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    json += &["\\u", &format!("{unit:04x}")].concat();
                }
            }
            (1..=7, '/') => json += "\\/",
            _ => {
                let alone = serde_json::to_string(&character).unwrap();
                json += &alone[1..alone.len() - 1];
            }
        }
    }
    json + "\""
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        r#"[a-z"\\/{}\[\],:é😀\n]{0,8}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["audio", "data", "input_audio", "model"]).prop_map(str::to_owned),
        r#"[a-z"\\é]{0,4}"#.prop_map(String::from),
    ]
}

/// A request, and a body for it as a client with unusual habits might write it.
#[derive(Debug, Clone)]
struct Sent {
    audio: Vec<u8>,
    options: Map<String, Value>,
    body: String,
}

fn any_request() -> impl Strategy<Value = Sent> {
    let options = prop::collection::vec((any_name(), any_value()), 0..5);
    let text = (prop::collection::vec(any::<u8>(), 0..600), 0..3_usize, any::<bool>());
    (options, text, any::<bool>(), 0..5_usize, any::<u64>()).prop_map(|(options, text, inner, at, seed)| {
        let mut options: Map<_, _> = options.into_iter().collect();
        options.retain(|name, _| name != "audio" && name != "input_audio");

        let (audio, encoding, data_url) = text;
        let encoded = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE][encoding].encode(&audio);
        let encoded = if data_url { format!("data:audio/ogg;base64,{encoded}") } else { encoded };
        let string = quoted(&encoded, seed);

        let mut members: Vec<_> =
            options.iter().map(|(name, value)| format!("{} :{value:#}", quoted(name, seed ^ 1))).collect();
        let at = at.min(members.len());
        if inner {
            members.insert(
                at,
                format!("{}: {{\"format\":\"ogg\", {}\t:{string}}}", quoted("input_audio", seed), quoted("data", seed)),
            );
            options.shift_insert(at, "input_audio".to_owned(), json!({"format": "ogg"}));
        } else {
            members.insert(at, format!("{}:{string}", quoted("audio", seed)));
        }
        Sent { audio, options, body: format!(" {{{}\n}}", members.join(",\r\n")) }
    })
}

/// Generates the replacement, insertion or removal of one byte.
fn any_damage() -> impl Strategy<Value = (prop::sample::Index, u8, u8)> {
    (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(&b"\"\\{}[],: u0A=\n\x80"[..]))
}

proptest! {
    #[test]
    fn any_request_comes_through_however_it_is_cut(sent in any_request(), piece in 1..500_usize) {
        serde_json::from_str::<Value>(&sent.body).expect("the test itself writes JSON");
        let (audio, options) = read_in_pieces(sent.body.as_bytes().chunks(piece)).unwrap();
        prop_assert_eq!(audio, sent.audio);
        prop_assert_eq!(options.keys().collect::<Vec<_>>(), sent.options.keys().collect::<Vec<_>>());
        prop_assert_eq!(options, sent.options);
    }

    #[test]
    fn a_damaged_body_is_read_the_same_however_it_is_cut_and_never_read_as_what_it_is_not(
        sent in any_request(),
        damage in prop::collection::vec(any_damage(), 1..4),
        piece in 1..500_usize,
    ) {
        let mut body = sent.body.into_bytes();
        for (place, kind, byte) in damage {
            let at = place.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
        }
        let whole = comparable(read_in_pieces([&body[..]]));
        prop_assert_eq!(&comparable(read_in_pieces(body.chunks(piece))), &whole);
        if let Ok((audio, _)) = whole {
            let judged: Value = serde_json::from_slice(&body).expect("what is taken is JSON");
            let value = judged.get("audio").or_else(|| judged.pointer("/input_audio/data")).and_then(Value::as_str);
            let mut text = value.unwrap().rsplit(',').next().unwrap().replace('-', "+").replace('_', "/");
            text.retain(|character| !character.is_ascii_whitespace());
            let verdict = STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text));
            prop_assert_eq!(Ok(audio), verdict);
        }
    }

    #[test]
    fn any_bytes_at_all_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..60), piece in 1..9_usize) {
        prop_assert_eq!(comparable(read_in_pieces(body.chunks(piece))), comparable(read_in_pieces([&body[..]])));
    }
}
