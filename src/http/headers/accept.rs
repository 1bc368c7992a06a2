//! The `Accept` header, by which a client can prefer a stream of events (RFC 9110 §12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap, HeaderValue};

/// The media types of answers that are not streams, and the ranges that include them.
const WHOLE_ANSWERS: [&str; 9] = [
    "application/json",
    "text/plain",
    "text/vtt",
    "text/srt",
    "application/srt",
    "application/x-subrip",
    "application/*",
    "text/*",
    "*/*",
];

/// The maximum number of members of the header to read.
const MAX_MEMBERS: usize = 64;

/// Returns true if `Accept` asks for a stream, as `stream=true` does: it names `text/event-stream`, as a browser's
/// `EventSource` does, and gives no other type of answer a higher weight. A range of all types alone does not ask for a
/// stream.
pub(in crate::http) fn prefers_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).filter_map(|value: &HeaderValue| value.to_str().ok());
    let (mut events, mut others) = (None, Weight(0));
    for (media_range, weight) in accepted.flat_map(members).take(MAX_MEMBERS).filter_map(read) {
        if media_range == "text/event-stream" {
            events = events.max(Some(weight));
        } else if WHOLE_ANSWERS.contains(&media_range.as_str()) {
            others = others.max(weight);
        }
    }
    events.is_some_and(|weight| weight > Weight(0) && weight >= others)
}

/// A weight in thousandths; RFC 9110 allows three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight(u16);

impl Weight {
    /// Parses `0`, `0.5` or `1.000` (RFC 9110 §12.4.2).
    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths = format!("{decimals:0<3}").parse::<u16>().ok()?;
        match (whole, thousandths) {
            ("0", thousandths) => Some(Self(thousandths)),
            ("1", 0) => Some(Self(1000)),
            _ => None,
        }
    }
}

/// Returns the media range of a member and its weight; `None` if the weight is invalid, so that the member is ignored.
fn read(member: &str) -> Option<(String, Weight)> {
    let mut parts = split(member, ';').map(str::trim);
    let media_range = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.trim_end().eq_ignore_ascii_case("q").then(|| value.trim_start())
    });
    Some((media_range, weight.map_or(Some(Weight(1000)), Weight::parse)?))
}

fn members(value: &str) -> impl Iterator<Item = &str> {
    split(value, ',')
}

/// Splits `text` at each `separator` outside quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '"' => quoted = !quoted,
            '\\' => escaped = quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        prefers_events(&headers)
    }

    #[test]
    fn a_stream_is_asked_for_by_name_and_by_weight() {
        for (accept, stream) in [
            (&["text/event-stream"] as &[&str], true),
            (&["Text/Event-Stream"], true),
            (&["text/event-stream; charset=utf-8"], true),
            (&["application/json, text/event-stream"], true),
            (&["application/json", "text/event-stream"], true),
            (&["text/event-stream;q=0.9, */*;q=0.1"], true),
            (&["text/event-stream;q=0.5, image/png"], true),
            (&["text/event-stream;q=0.001"], true),
            (&["text/event-stream;q=0.5, text/event-stream;level=1"], true),
            (&["text/event-stream;x=\"a,b;q=0\""], true),
            (&["text/event-stream ; Q = 1.000"], true),
            (&["application/json;q=0, text/event-stream;q=0.1"], true),
            (&["application/json;q=nonsense, text/event-stream;q=0.1"], true),
            (&["text/event-stream;q=0"], false),
            (&["text/event-stream;q=0.000"], false),
            (&["text/event-stream;q=0.5, application/json"], false),
            (&["text/event-stream;q=0.5, */*"], false),
            (&["text/event-stream;q=0.5, text/*;q=0.6"], false),
            (&["text/event-stream;q=2"], false),
            (&["text/event-stream;q=1.001"], false),
            (&["text/event-stream;q=0.0001"], false),
            (&["text/event-stream;q=.5"], false),
            (&["text/event-stream;q="], false),
            (&["text/event-stream;q=-1"], false),
            (&["text/event-stream;q=NaN"], false),
            (&["image/x;a=\"text/event-stream, text/event-stream\""], false),
            (&["text/event-streams"], false),
            (&["text/*"], false),
            (&["*/*"], false),
            (&["application/json"], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(prefers(accept), stream, "{accept:?}");
        }
    }
}
