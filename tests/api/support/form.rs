//! The body forms, written by hand so that they can also be written wrongly.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};

const BOUNDARY: &str = "------------------------5f0e3b6a2c91d847";

/// A multipart form, part by part in the order in which they are added.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A form in the order of OpenAI's own clients: the model first, the recording last.
    pub(crate) fn model_then_file(audio: &[u8]) -> Self {
        Self::new().field("model", "gpt-transcribe").file(audio)
    }

    pub(crate) fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    /// Each of `fields`, a name and a value, by itself.
    pub(crate) fn fields(self, fields: &[(&str, &str)]) -> Self {
        fields.iter().fold(self, |form, (name, value)| form.field(name, value))
    }

    pub(crate) fn file(self, audio: &[u8]) -> Self {
        self.named_file("speech.wav", "audio/wav", audio)
    }

    pub(crate) fn named_file(self, file_name: &str, content_type: &str, audio: &[u8]) -> Self {
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"");
        self.part(&format!("{disposition}\r\nContent-Type: {content_type}"), audio)
    }

    /// A part with whatever headers.
    pub(crate) fn part(mut self, headers: &str, body: &[u8]) -> Self {
        self.0.extend_from_slice(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").as_bytes());
        self.0.extend_from_slice(body);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = self.0;
        bytes.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        bytes
    }

    /// The form without the delimiter that ends it.
    pub(crate) fn without_end(self) -> Vec<u8> {
        self.0
    }

    /// Makes it the body of `request`.
    pub(crate) fn on(self, request: RequestBuilder) -> RequestBuilder {
        request.header("content-type", Self::content_type()).body(self.bytes())
    }
}

/// `bytes` in pieces of `size`, without a `Content-Length`.
pub(crate) fn chunked(bytes: &[u8], size: usize) -> Body {
    let chunks: Vec<_> = bytes.chunks(size).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    Body::wrap_stream(stream::iter(chunks))
}

/// Makes a JSON object the body of `request`.
pub(crate) fn json_on(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

/// One way to send a recording with its options.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyForm {
    Multipart,
    MultipartFileFirst,
    MultipartChunked,
    JsonBase64,
    JsonDataUrl,
    JsonInputAudio,
    RawAudio,
    RawOctets,
}

impl BodyForm {
    pub(crate) const ALL: [Self; 8] = [
        Self::Multipart,
        Self::MultipartFileFirst,
        Self::MultipartChunked,
        Self::JsonBase64,
        Self::JsonDataUrl,
        Self::JsonInputAudio,
        Self::RawAudio,
        Self::RawOctets,
    ];

    /// Puts `audio` and `options` on `request` in this form.
    pub(crate) fn on(self, request: RequestBuilder, options: &[(&str, &str)], audio: &[u8]) -> RequestBuilder {
        match self {
            Self::Multipart => Form::new().fields(options).file(audio).on(request),
            Self::MultipartFileFirst => Form::new().file(audio).fields(options).on(request),
            Self::MultipartChunked => {
                let bytes = Form::new().named_file("upload", "application/octet-stream", audio).fields(options).bytes();
                request.header("content-type", Form::content_type()).body(chunked(&bytes, 1000))
            }
            Self::JsonBase64 => json_on(request, &with(options, "audio", STANDARD.encode(audio).into())),
            Self::JsonDataUrl => {
                let url = format!("data:audio/wav;base64,{}", STANDARD.encode(audio));
                json_on(request, &with(options, "audio", url.into()))
            }
            Self::JsonInputAudio => {
                let input = json!({ "data": STANDARD.encode(audio), "format": "wav" });
                json_on(request, &with(options, "input_audio", input))
            }
            Self::RawAudio => request.query(options).header("content-type", "audio/wav").body(audio.to_vec()),
            Self::RawOctets => {
                request.query(options).header("content-type", "application/octet-stream").body(audio.to_vec())
            }
        }
    }
}

/// The options as members of an object, `stream` as the boolean that it is.
fn with(options: &[(&str, &str)], name: &str, audio: Value) -> Value {
    let typed = |value: &str| if value == "true" { Value::Bool(true) } else { value.into() };
    let mut object: serde_json::Map<_, _> =
        options.iter().map(|(name, value)| ((*name).to_owned(), typed(value))).collect();
    object.insert(name.to_owned(), audio);
    Value::Object(object)
}
