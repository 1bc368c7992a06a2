//! What a client gets: all of it, or as it comes.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::timeout;

use super::Heard;
use crate::support::poll::{TIMEOUT, let_pass};

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn read(response: Response, heard: &Heard) -> Self {
        hear_head(&response, heard);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        heard.add(&body);
        Self { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap_or_else(|| panic!("no request id: {self:?}"))
    }

    /// Who served it, after how many tries.
    #[track_caller]
    pub(crate) fn served(&self) -> (&str, usize) {
        let header = |name| self.header(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        (header("x-voxgate-provider"), header("x-voxgate-attempts").parse().unwrap())
    }

    /// How many milliseconds the client is told to wait.
    #[track_caller]
    pub(crate) fn retry_after_ms(&self) -> u64 {
        self.header("retry-after-ms").unwrap_or_else(|| panic!("no time: {self:?}")).parse().unwrap()
    }

    /// Waits as long as the client is told to.
    pub(crate) async fn wait_as_told(&self) {
        let_pass(Duration::from_millis(self.retry_after_ms())).await;
    }

    /// The data of each event, `[DONE]` among them.
    pub(crate) fn events(&self) -> Vec<String> {
        assert!(self.header("content-type").unwrap().starts_with("text/event-stream"), "{self:?}");
        let data = self.text().split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.map(str::to_owned).collect()
    }

    /// Its error, in the shape that every error has.
    pub(crate) fn error(&self) -> Value {
        assert_eq!(self.header("content-type").map(essence), Some("application/json"), "{self:?}");
        assert!(!self.request_id().is_empty());
        let body = self.json();
        let error = &body["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert!(error["type"].is_string(), "{body}");
        for member in ["param", "code"] {
            let value = error.get(member).unwrap_or_else(|| panic!("no {member}: {body}"));
            assert!(value.is_null() || value.is_string(), "{body}");
        }
        error.clone()
    }

    /// That it is this error, about this parameter.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, code: &str, param: Option<&str>) {
        let error = self.error();
        let is = (self.status, error["code"].as_str(), error["param"].as_str());
        assert_eq!(is, (status, Some(code), param), "{error}");
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default()
}

/// An answer that is read as it comes.
pub(crate) struct Events {
    response: Response,
    read: Vec<u8>,
    heard: Heard,
}

impl Events {
    pub(super) fn of(response: Response, heard: Heard) -> Self {
        hear_head(&response, &heard);
        assert_eq!(response.status(), 200);
        Self { response, read: Vec::new(), heard }
    }

    /// Everything up to and with `text`.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(start) = memchr::memmem::find(&self.read, text.as_bytes()) {
                return String::from_utf8(self.read.drain(..start + text.len()).collect()).unwrap();
            }
            assert!(self.more().await, "the stream ended before {text:?}: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Everything up to the end.
    pub(crate) async fn rest(mut self) -> String {
        while self.more().await {}
        String::from_utf8(self.read).unwrap()
    }

    async fn more(&mut self) -> bool {
        let chunk = timeout(TIMEOUT, self.response.chunk()).await.expect("the stream is silent");
        let Some(chunk) = chunk.expect("the stream broke") else { return false };
        self.heard.add(&chunk);
        self.read.extend_from_slice(&chunk);
        true
    }
}

fn hear_head(response: &Response, heard: &Heard) {
    for (name, value) in response.headers() {
        heard.add(name.as_str().as_bytes());
        heard.add(value.as_bytes());
    }
}
