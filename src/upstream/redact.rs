//! Removal of the provider's key, whole or in part, from the provider's text.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

const REDACTED: &str = "[redacted]";

/// Returns `text` without `key` and without anything that looks like a key: OpenAI's errors quote a key as `sk-ab***yz`.
pub fn without_key<'a>(text: &'a str, key: Option<&SecretString>) -> Cow<'a, str> {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| text.contains(key));
    let text = match key {
        Some(key) => Cow::Owned(text.replace(key, REDACTED)),
        None => Cow::Borrowed(text),
    };
    if text.contains("sk-") { Cow::Owned(without_lookalikes(&text)) } else { text }
}

/// Returns `bytes` without `key`, and changes nothing else: for content that is passed on byte for byte.
fn without_exact_key(bytes: &Bytes, key: &SecretString) -> Bytes {
    let key = key.expose_secret();
    // Some JSON writers escape a slash.
    let spellings = [key.to_owned(), key.replace('/', "\\/")];
    let mut clean = bytes.clone();
    for spelling in spellings.iter().map(String::as_bytes).filter(|spelling| !spelling.is_empty()) {
        let mut kept = Vec::new();
        let mut from = 0;
        for at in memmem::find_iter(&clean, spelling) {
            kept.extend_from_slice(clean.get(from..at).unwrap_or_default());
            kept.extend_from_slice(REDACTED.as_bytes());
            from = at + spelling.len();
        }
        if from > 0 {
            kept.extend_from_slice(clean.get(from..).unwrap_or_default());
            clean = kept.into();
        }
    }
    clean
}

/// Returns JSON without `key`, in any escaping. JSON without the key stays unchanged; otherwise it is serialised again. A
/// text that is not JSON is searched as it is.
pub fn json_without_key(json: &Bytes, key: &SecretString) -> Bytes {
    let clean = without_exact_key(json, key);
    // Parsing costs many times the size of the answer, so it happens only if an escape may hide the key.
    if memchr::memchr(b'\\', &clean).is_none()
        || memmem::find(&unescaped(&clean), key.expose_secret().as_bytes()).is_none()
    {
        return clean;
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&clean) else { return clean };
    let written = Bytes::from(value.to_string());
    let rewritten = without_exact_key(&written, key);
    if rewritten == written { clean } else { rewritten }
}

/// Undoes the escapes in `json` that could hide a key: those of ASCII characters. The result is not JSON.
fn unescaped(json: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = memmem::find(rest, b"\\") {
        let (before, escape) = rest.split_at(at);
        plain.extend_from_slice(before);
        let hex = escape.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let length = match (escape.get(1), code) {
            (Some(b'u'), Some(byte)) => {
                plain.push(byte);
                6
            }
            (Some(b'/'), _) => {
                plain.push(b'/');
                2
            }
            // Other escapes stay. One of them is `\\\\`, whose second backslash does not begin the next escape.
            _ => {
                plain.extend_from_slice(escape.get(..2).unwrap_or(escape));
                2
            }
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

fn without_lookalikes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, found)) = rest.split_once("sk-") {
        kept.push_str(before);
        // `task-` and `risk-` are words.
        let starts_word = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
        let end = found.find(|c: char| !(c.is_ascii_alphanumeric() || "-_*.".contains(c))).unwrap_or(found.len());
        if starts_word && end >= 4 {
            kept.push_str(REDACTED);
            rest = found.get(end..).unwrap_or_default();
        } else {
            kept.push_str("sk-");
            rest = found;
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_loses_the_key_and_nothing_else() {
        let key = SecretString::from("a/b+c");
        let clean = |text: &'static str| without_exact_key(&Bytes::from_static(text.as_bytes()), &key);
        assert_eq!(clean("{\"text\": \"sk-1234567 stays\"}"), "{\"text\": \"sk-1234567 stays\"}");
        assert_eq!(clean("a/b+c and a\\/b+c, twice a/b+c"), "[redacted] and [redacted], twice [redacted]");
    }

    #[test]
    fn a_key_is_found_in_json_however_it_is_escaped() {
        let key = SecretString::from("sk/a+b");
        let clean = |text: &'static str| json_without_key(&Bytes::from_static(text.as_bytes()), &key);
        assert_eq!(clean(r#"{"m": "\u0073k\/a\u002Bb"}"#), r#"{"m":"[redacted]"}"#);
        assert_eq!(clean(r#"{"m": "line\nbreak"}"#), r#"{"m": "line\nbreak"}"#);
    }

    #[test]
    fn a_key_is_taken_out_whole_or_masked_and_words_stay() {
        let key = SecretString::from("gsk_live_0123456789");
        let cases = [
            ("nothing to hide", "nothing to hide"),
            ("key gsk_live_0123456789!", "key [redacted]!"),
            ("Incorrect API key provided: sk-proj-********wxyz. See", "Incorrect API key provided: [redacted] See"),
            (r#"{"key":"sk-abcd1234"}"#, r#"{"key":"[redacted]"}"#),
            ("the task-force took a risk-free desk-top", "the task-force took a risk-free desk-top"),
        ];
        for (text, kept) in cases {
            assert_eq!(without_key(text, Some(&key)), kept);
        }
    }
}
