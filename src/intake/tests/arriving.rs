//! Tests of early forwarding: a request that a provider reads while it arrives yields the same result as one that
//! arrives first.

use futures_util::{FutureExt, StreamExt};

use super::media::{Container, MediaInfo};
use super::*;
use crate::domain::AudioMs;

/// Sends a request piece by piece with an announced size. Returns its result, and if there was an early job, true if
/// the complete job matched it.
async fn arriving(
    content_type: &str,
    query: &str,
    chunks: Vec<Bytes>,
    overlap: bool,
) -> (Result<Seen, String>, Option<bool>) {
    let mut settings = settings();
    settings.intake.overlap = overlap;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    let declared = u64::try_from(chunks.iter().map(Bytes::len).sum::<usize>()).ok();
    let body = Box::pin(stream::iter(chunks).then(|chunk| async {
        tokio::task::yield_now().await;
        Ok(chunk)
    }));
    let form = BodyForm::from_content_type(Some(content_type)).unwrap();
    let (shared, task, key) = (shared(&settings), Task::Transcribe, alice());
    let incoming = Incoming { task, form, declared, headers: &headers, query, key, body };
    let (early, rest) = match take_in(&settings.intake, &shared, incoming).start().await {
        Ok(UploadStart::Complete(job)) => return (Ok(seen_of(job).await), None),
        Ok(UploadStart::Early(early, rest)) => (early.job, rest),
        Err(error) => return (Err(error.to_string()), None),
    };
    // The reader stands for a provider that reads while the recording arrives.
    let (mut reader, mut read, mut broken) = (Box::pin(early.audio.chunks()), Vec::new(), false);
    let mut whole = Box::pin(rest.finish());
    let whole = loop {
        tokio::select! {
            biased;
            Some(chunk) = reader.next(), if !broken => match chunk {
                Ok(chunk) => read.extend_from_slice(&chunk),
                Err(_) => broken = true,
            },
            whole = &mut whole => break whole,
        }
    };
    let expected = usize::try_from(early.audio.length()).unwrap();
    assert!(read.len() < expected, "it had all of it before it was released");
    let whole = match whole {
        Ok(whole) => whole,
        Err(error) => {
            while let Some(Some(Ok(chunk))) = reader.next().now_or_never() {
                read.extend_from_slice(&chunk);
            }
            assert!(read.len() < expected, "what is wrong was whole");
            return (Err(error.to_string()), Some(false));
        }
    };
    let matches = whole.job().matches_claim(&early);
    let whole = whole.release();
    let rest = if broken { None } else { reader.map_ok(Vec::from).try_concat().await.ok() };
    let seen = seen_of(whole).await;
    assert_eq!(rest.is_some(), seen.3.len() == expected);
    if let Some(rest) = rest {
        assert!([read, rest].concat() == seen.3, "it was given something else");
    }
    (Ok(seen), Some(matches))
}

/// Builds a recording large enough for early forwarding, and returns true with it if its first bytes are truthful.
fn large(which: usize) -> (Vec<u8>, bool) {
    let mut wav = wav(300_000);
    match which {
        0 => return (wav, true),
        // The header claims hardly any sound, or none.
        1 => wav[40..44].copy_from_slice(&16_u32.to_le_bytes()),
        2 => wav[36..40].copy_from_slice(b"LIST"),
        _ => wav[..4].copy_from_slice(b"some"),
    }
    (wav, false)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..crate::properties::cases(64) })]

    #[test]
    fn a_request_comes_to_the_same_whether_or_not_it_is_forwarded_while_it_arrives(
        cuts in vec(any::<prop::sample::Index>(), 8..60),
        file_at in prop_oneof![Just(8), 0..9_usize],
        which in prop_oneof![3 => Just(0), 2 => 0..4_usize],
        raw in any::<bool>(),
        lost in prop_oneof![3 => Just(0), 1 => 1..30_000_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (audio, honest) = large(which);
        let form_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(FIELDS).finish();
        let (content_type, body) =
            if raw { ("audio/wav", audio) } else { (&*form_type, multipart(&FIELDS, file_at, &audio)) };
        let body = &body[..body.len() - lost];
        let (together, matches) = runtime.block_on(arriving(content_type, &query, chunks(body, &cuts), true));
        let (apart, never) = runtime.block_on(arriving(content_type, &query, chunks(body, &cuts), false));
        prop_assert_eq!(never, None);
        prop_assert_eq!(&together, &apart);
        // The last of eight fields may follow the recording, since the model comes before it.
        let in_order = raw || file_at == 8;
        if let Some(matches) = matches {
            prop_assert_eq!(matches, honest && (raw || file_at == 8 && lost == 0), "{}", which);
        } else {
            // The first and the last bytes came together, or the first bytes identify no format.
            let middle = 18_000..body.len() - 2000;
            let apart = cuts.iter().any(|cut| middle.contains(&cut.index(body.len() + 1)));
            prop_assert!(!in_order || which == 3 || !apart);
        }
    }
}

#[test]
fn a_client_that_sends_in_small_pieces_is_forwarded_early_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for size in [1000, 1460, 3000, 5000] {
        let (audio, _) = large(0);
        let pieces = audio.chunks(size).map(Bytes::copy_from_slice).collect();
        let (seen, matches) = runtime.block_on(arriving("audio/wav", "", pieces, true));
        assert_eq!((seen.map(|seen| seen.3 == audio), matches), (Ok(true), Some(true)), "in pieces of {size}");
    }
}

#[test]
fn only_what_was_claimed_matches_a_claim() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let take =
        |body: &[u8]| runtime.block_on(take("audio/wav", "model=m", vec![Bytes::copy_from_slice(body)])).unwrap();
    let claimed = take(&wav(3000));
    assert!(claimed.matches_claim(&claimed));
    let longer = Length::AtMost(AudioMs::new(1001));
    assert!(claimed.matches_claim(&Job { media: MediaInfo { length: longer, ..claimed.media }, ..claimed.clone() }));
    let shorter = MediaInfo { length: Length::AtMost(AudioMs::new(999)), ..claimed.media };
    let other = [
        ("its task", Job { task: Task::Translate, ..claimed.clone() }),
        ("its options", Job { options: Options { stream: Some(true), ..claimed.options.clone() }, ..claimed.clone() }),
        ("its size", Job { audio: take(&wav(3001)).audio, ..claimed.clone() }),
        ("its container", Job { media: MediaInfo { container: Container::Mp3, ..claimed.media }, ..claimed.clone() }),
        ("its length", Job { media: shorter, ..claimed.clone() }),
    ];
    for (what, early) in other {
        assert!(!claimed.matches_claim(&early), "{what}");
    }
}
