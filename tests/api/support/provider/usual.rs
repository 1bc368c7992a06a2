//! What OpenAI answers when nothing is wrong, in each format.

use serde_json::{Value, json};

use super::{Framing, KEY, Reply, Seen};

/// What every recording says. It may be in answers and never in a log.
pub(crate) const TRANSCRIPT: &str = "Sphinx of black quartz, judge my vow";

/// The content type and the body of a whole answer. Spaces are odd on purpose: a body must not be written anew.
pub(crate) fn answer(format: &str) -> (&'static str, String) {
    match format {
        "text" => ("text/plain; charset=utf-8", format!("{TRANSCRIPT}\n")),
        "srt" => ("text/plain; charset=utf-8", format!("1\n00:00:00,000 --> 00:00:01,800\n{TRANSCRIPT}\n\n")),
        "vtt" => ("text/vtt", format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.800\n{TRANSCRIPT}\n\n")),
        "verbose_json" => (
            "application/json",
            format!(
                r#"{{ "task":"transcribe",  "language":"english","duration":1.8,"text":"{TRANSCRIPT}",
                "words":[{{"word":"Sphinx","start":0.0,"end":0.4}}],
                "segments":[{{"id":0,"seek":0,"start":0.0,"end":1.8,"text":"{TRANSCRIPT}","tokens":[1],"temperature":0.0,
                "avg_logprob":-0.1,"compression_ratio":1.0,"no_speech_prob":0.01}}],
                "usage":{{"type":"duration","seconds":2}}}}"#
            ),
        ),
        "diarized_json" => (
            "application/json",
            format!(
                r#"{{"task":"transcribe", "duration":1.8,"text":"{TRANSCRIPT}","segments":[{{"type":
                "transcript.text.segment","id":"seg_0","start":0.0,"end":1.8,"text":"{TRANSCRIPT}","speaker":"A"}}],
                "usage":{{"type":"duration","seconds":2}}}}"#
            ),
        ),
        _ => (
            "application/json",
            format!(
                r#"{{"text":"{TRANSCRIPT}",  "usage":{{"type":"tokens","input_tokens":14,
                "input_token_details":{{"text_tokens":0,"audio_tokens":14}},"output_tokens":45,"total_tokens":59}}}}"#
            ),
        ),
    }
}

/// The events of a stream: a delta for each word, then the whole.
pub(crate) fn events() -> Vec<Value> {
    let deltas = TRANSCRIPT.split_inclusive(' ');
    let mut events: Vec<_> = deltas.map(|delta| json!({ "type": "transcript.text.delta", "delta": delta })).collect();
    events.push(json!({
        "type": "transcript.text.done", "text": TRANSCRIPT,
        "usage": { "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59 },
    }));
    events
}

/// A stream of more bytes than all sockets between a provider and a client hold, in events that are quickly passed on.
pub(crate) fn more_than_sockets_hold() -> String {
    Framing::PLAIN.event(&json!({ "type": "transcript.text.delta", "delta": "so ".repeat(5_000) })).repeat(2_000)
}

/// An error in OpenAI's shape.
pub(super) fn error(status: u16) -> Reply {
    let body = json!({ "error": {
        "message": format!("The provider says {status}."), "type": "provider_type", "param": null, "code": "from_provider",
    } });
    Reply::json(status, &body)
}

/// A script that cannot reach into this process, such as an SDK's, says in its prompt what the provider shall do.
fn as_prompted(prompt: &str) -> Option<Reply> {
    let wish = prompt.strip_prefix("provider: ")?;
    Some(match wish {
        "break in mid-stream" => Reply::stream().send(Framing::PLAIN.event(&events()[0])).close(),
        // A 401 would be the end of the key, and other requests need it.
        "refuse the key" => Reply::json(
            403,
            &json!({ "error": { "message": format!("Incorrect API key provided: {KEY}."), "type": "invalid_request_error",
                "param": null, "code": "invalid_api_key" } }),
        ),
        _ => error(wish.strip_prefix("status ")?.parse().ok()?),
    })
}

pub(super) fn reply(seen: &Seen) -> Reply {
    if seen.path == "/v1/models" {
        return Reply::json(200, &json!({ "object": "list", "data": [] }));
    }
    if let Some(reply) = seen.field("prompt").and_then(as_prompted) {
        return reply;
    }
    if seen.field("stream") == Some("true") {
        return Reply::stream().send(Framing::PLAIN.all(&events()));
    }
    let (content_type, body) = answer(seen.field("response_format").unwrap_or("json"));
    Reply::whole(200, content_type, body)
}
