//! Whether an answer streams: by `stream` where that is given, else by `Accept`.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, TRANSCRIPTIONS};

#[tokio::test]
async fn a_client_gets_a_stream_where_it_prefers_one_or_says_so() {
    let gateway = Gateway::start().await;
    for (accept, stream, streams) in [
        ("text/event-stream", None, true),
        ("application/json, text/event-stream", None, true),
        ("text/event-stream;q=0.9, */*;q=0.1", None, true),
        ("text/event-stream", Some("true"), true),
        ("text/event-stream", Some(""), true),
        ("text/event-stream;q=0", Some("true"), true),
        ("application/json", Some("true"), true),
        ("text/event-stream;q=0", None, false),
        ("text/event-stream;q=0.0", None, false),
        ("text/event-stream;q=0.1, application/json", None, false),
        ("text/event-stream;q=x", None, false),
        ("text/event-stream", Some("false"), false),
        ("text/event-stream, application/json;q=0.1", Some("false"), false),
        ("text/event-stream", Some("null"), false),
        ("*/*", None, false),
        ("text/*", None, false),
    ] {
        let form = || {
            let form = Form::new().field("model", "gpt-transcribe");
            stream.map_or(form.clone(), |value| form.field("stream", value)).file(&audio::wav(300))
        };
        let got = gateway.send(form().on(gateway.post(TRANSCRIPTIONS).header("accept", accept))).await;
        let kind = if streams { "text/event-stream; charset=utf-8" } else { "application/json" };
        assert_eq!(got.header("content-type"), Some(kind), "accept: {accept}, stream: {stream:?}");
        assert_eq!(gateway.provider.last().field("stream"), streams.then_some("true"), "{accept} {stream:?}");
    }
}
