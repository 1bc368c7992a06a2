//! Whether an answer can be a transcript, by its media type and the form of its content.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use crate::domain::terms::Format;
use crate::domain::text::without_byte_order_mark;

/// The member that every transcript in JSON has.
#[derive(Deserialize)]
struct Json {
    #[serde(rename = "text")]
    _text: String,
}

/// Returns the media type of an answer, without parameters and in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns true if a transcript in `format` can have the media type of an answer.
pub(super) fn is_media_type(headers: &HeaderMap, format: Format) -> bool {
    let found = media_type(headers);
    if format.is_json() {
        return found == "application/json";
    }
    matches!(found.as_str(), "text/plain" | "text/vtt" | "text/srt" | "application/x-subrip")
}

/// Returns true if `body` has the form of a transcript in `format`. Of silence, there are no subtitles.
pub(super) fn has_form(body: &[u8], format: Format) -> bool {
    let text = without_byte_order_mark(body).trim_ascii();
    match format {
        Format::Srt => text.is_empty() || memchr::memmem::find(text, b"-->").is_some(),
        Format::Vtt => text.starts_with(b"WEBVTT"),
        _ if format.is_json() => serde_json::from_slice::<Json>(body).is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_transcript() {
        let headers = |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
        for format in [Format::Text, Format::Srt, Format::Vtt, Format::Json, Format::VerboseJson] {
            assert!(!is_media_type(&headers("text/html; charset=utf-8"), format), "{format:?}");
            assert!(!is_media_type(&HeaderMap::new(), format), "{format:?}");
        }
        assert!(is_media_type(&headers("Text/Plain; charset=utf-8"), Format::Srt));
        assert!(is_media_type(&headers("application/json"), Format::VerboseJson));
    }

    #[test]
    fn subtitles_and_json_have_their_form() {
        for (body, format, is_one) in [
            ("1\n00:00:00,000 --> 00:00:01,800\nwords\n", Format::Srt, true),
            ("\n", Format::Srt, true),
            ("Please log in.", Format::Srt, false),
            ("\u{feff}WEBVTT\n\n", Format::Vtt, true),
            ("Please log in.", Format::Vtt, false),
            (r#"{"text":"words"}"#, Format::Json, true),
            (r#"{"login":"https://example.com"}"#, Format::Json, false),
            ("words", Format::Text, true),
        ] {
            assert_eq!(has_form(body.as_bytes(), format), is_one, "{body} {format:?}");
        }
    }
}
