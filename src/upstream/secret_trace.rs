//! Keeps the provider's key, whole or in part, out of what a provider says.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

const REDACTED: &str = "[redacted]";

/// `text` without `key` and without anything that looks like one: OpenAI's errors quote a key as `sk-ab***yz`.
pub fn without_key<'a>(text: &'a str, key: Option<&SecretString>) -> Cow<'a, str> {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| text.contains(key));
    let text = match key {
        Some(key) => Cow::Owned(text.replace(key, REDACTED)),
        None => Cow::Borrowed(text),
    };
    if text.contains("sk-") { Cow::Owned(without_lookalikes(&text)) } else { text }
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
