//! What is sent: recordings of noise, which has every byte value in it as speech does. Silence would flatter whoever looks
//! for a boundary in it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jsonwebtoken::Algorithm;
use secrecy::{ExposeSecret, SecretString};
use voxgate::identity::{Caps, Grant, KeyMaterial, KeySpec, Minter, Rules, Scopes};

/// What tokens are signed with.
pub(crate) const SECRET: &str = "a-secret-for-this-benchmark-only-0123456789";

/// So many callers take turns.
pub(crate) const CALLERS: usize = 100;

/// As OpenAI's Python SDK makes them: 32 hexadecimal digits.
const BOUNDARY: &str = "3f1c9a52e07b4d6688a1c4f2d95e7b30";

/// One request of each caller, all with the same body.
#[derive(Clone)]
pub(crate) struct Upload {
    /// One for each caller.
    heads: Arc<[Bytes]>,
    pub(crate) body: Bytes,
}

impl Upload {
    /// OpenAI's own form, with a recording of `bytes`.
    pub(crate) fn form(tokens: &[String], bytes: usize) -> Self {
        Self::multipart(tokens, &[("model", "gpt-transcribe"), ("response_format", "json")], "speech.wav", &wav(bytes))
    }

    /// The same, with a recording from a file.
    pub(crate) fn file(tokens: &[String], path: &Path) -> Self {
        let (name, recording) = (path.file_name().unwrap().to_string_lossy(), fs::read(path).unwrap());
        Self::multipart(tokens, &[("model", "gpt-transcribe"), ("response_format", "json")], &name, &recording)
    }

    /// The same, answered as a stream of events.
    pub(crate) fn streamed(tokens: &[String], bytes: usize) -> Self {
        Self::multipart(tokens, &[("model", "gpt-transcribe"), ("stream", "true")], "speech.wav", &wav(bytes))
    }

    /// A recording in base64 among the members of a JSON object of `bytes` in all.
    pub(crate) fn json(tokens: &[String], bytes: usize) -> Self {
        let (before, after) = (r#"{"model":"gpt-transcribe","audio":""#, "\"}");
        let audio = wav((bytes - before.len() - after.len()) / 4 * 3 / 2 * 2);
        let body = [before, &STANDARD.encode(audio), after].concat();
        Self::new(tokens, "application/json", body.into())
    }

    fn multipart(tokens: &[String], fields: &[(&str, &str)], name: &str, recording: &[u8]) -> Self {
        let mut body = Vec::with_capacity(recording.len() + 1024);
        for (field, value) in fields {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        let media_type = name.rsplit('.').next().unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\n{disposition}\r\nContent-Type: audio/{media_type}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(recording);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        Self::new(tokens, &format!("multipart/form-data; boundary={BOUNDARY}"), body.into())
    }

    fn new(tokens: &[String], content_type: &str, body: Bytes) -> Self {
        let head = |token: &String| {
            let length = body.len();
            let text = format!(
                "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
                 Accept: application/json\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
            );
            Bytes::from(text)
        };
        Self { heads: tokens.iter().map(head).collect(), body }
    }

    /// The head of a request of the caller of that number, of any number.
    pub(crate) fn head(&self, caller: usize) -> Bytes {
        self.heads[caller % self.heads.len()].clone()
    }
}

/// What tokens are signed and checked with.
pub(crate) fn key() -> KeySpec {
    KeySpec { kid: None, algorithm: Algorithm::HS256, material: KeyMaterial::Secret(SecretString::from(SECRET)) }
}

/// A token for each caller, for as long as any run takes.
pub(crate) fn tokens() -> Vec<String> {
    let minter = Minter::new(&key(), &Rules::default()).unwrap();
    let token = |number: usize| {
        let subject = format!("caller-{number:03}").parse().unwrap();
        let ttl = Duration::from_hours(12);
        let (token_id, caps) = (Some(format!("{number}")), Caps::default());
        let grant = Grant { subject, plan: None, scopes: Scopes::ALL, ttl, token_id, caps, maker: None };
        minter.mint(&grant).unwrap().expose_secret().to_owned()
    };
    (0..CALLERS).map(token).collect()
}

/// A WAV file of `bytes` in all: 16 kHz, 16 bits, one channel, of the same noise each time.
pub(crate) fn wav(bytes: usize) -> Vec<u8> {
    const HEAD: usize = 44;
    let size = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    let mut file = Vec::with_capacity(bytes + 8);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&size(bytes - 8));
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    file.extend_from_slice(&size(bytes - HEAD));
    // Xorshift (Marsaglia 2003): every byte value, equally often, in no order.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    while file.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.extend_from_slice(&state.to_le_bytes());
    }
    file.truncate(bytes);
    file
}
