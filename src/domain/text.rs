//! Text from outside: what of it may be shown, and the byte order mark that some editors write.

use std::fmt::Display;

/// The byte order mark of UTF-8, which some editors write. It is not part of the text; in a secret it would be invisible.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the text without a byte order mark at its start.
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Returns the text without a byte order mark at its start.
pub fn trim_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Returns the first `max_chars` characters of a stranger's text, without control characters, to quote it in a message.
pub fn printable(text: &str, max_chars: usize) -> String {
    text.chars().filter(|c| !is_obeyed(*c)).take(max_chars).collect()
}

/// Returns true for a character that a terminal obeys rather than shows: one that controls it, breaks the line, or turns
/// the direction of what stands around it.
pub fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Lists words in quotes, as alternatives: `"a", "b" or "c"`.
pub fn alternatives<T: Display>(words: &[T], quote: char) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_left_out_before_the_text_is_shortened() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc", 6), "a[31mb");
        assert_eq!(printable("äöü", 2), "äö");
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2028}d", 9), "abcd");
        assert_eq!(printable("", 2), "");
    }

    #[test]
    fn alternatives_end_with_or() {
        assert_eq!(alternatives(&["a"], '\''), "'a'");
        assert_eq!(alternatives(&["a", "b"], '\''), "'a' or 'b'");
        assert_eq!(alternatives(&["a", "b", "c"], '\''), "'a', 'b' or 'c'");
    }

    #[test]
    fn one_byte_order_mark_at_the_start_is_left_out() {
        assert_eq!(without_byte_order_mark("\u{feff}a\u{feff}".as_bytes()), "a\u{feff}".as_bytes());
        assert_eq!(without_byte_order_mark(b"a"), b"a");
        assert_eq!((trim_byte_order_mark("\u{feff}a"), trim_byte_order_mark("a")), ("a", "a"));
    }
}
