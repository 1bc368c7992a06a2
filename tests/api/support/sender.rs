//! A client that sends its request piece by piece, as a test lets it.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::account::Account;
use crate::support::form::Form;
use crate::support::gateway::Gateway;
use crate::support::wire::{Wire, request_head};

/// What a client may have sent last is on its way for a while, and the form has a head.
pub(crate) const ON_THE_WAY: usize = 16 * 1024;

/// A request on its way, of which the head has been sent.
pub(crate) struct Sender {
    wire: Wire,
    body: Vec<u8>,
    sent: usize,
}

/// An answer on a bare connection.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Sender {
    /// A form from `account`.
    pub(crate) async fn form(gateway: &Gateway, account: &Account, form: Form) -> Self {
        Self::begin(gateway, account, &Form::content_type(), form.bytes(), "").await
    }

    /// A body that is the recording.
    pub(crate) async fn raw(gateway: &Gateway, account: &Account, audio: Vec<u8>) -> Self {
        Self::begin(gateway, account, "application/octet-stream", audio, "").await
    }

    /// A body that is the recording, with options in the query.
    pub(crate) async fn raw_with(gateway: &Gateway, account: &Account, query: &str, audio: Vec<u8>) -> Self {
        let mut wire = gateway.wire().await;
        let head = request_head(account.token(), "application/octet-stream", audio.len(), "");
        wire.send(head.replacen(" HTTP/1.1", &format!("?{query} HTTP/1.1"), 1)).await;
        Self { wire, body: audio, sent: 0 }
    }

    /// A body of this type, with `more` lines in the head.
    pub(crate) async fn begin(
        gateway: &Gateway,
        account: &Account,
        content_type: &str,
        body: Vec<u8>,
        more: &str,
    ) -> Self {
        let length = body.len();
        Self::announcing(gateway, account, content_type, (body, length), more).await
    }

    /// The same with another `Content-Length` than the body has.
    pub(crate) async fn announcing(
        gateway: &Gateway,
        account: &Account,
        content_type: &str,
        (body, length): (Vec<u8>, usize),
        more: &str,
    ) -> Self {
        let mut wire = gateway.wire().await;
        wire.send(request_head(account.token(), content_type, length, more)).await;
        Self { wire, body, sent: 0 }
    }

    /// A body in one chunk, whose size is not told in advance.
    pub(crate) async fn chunked(gateway: &Gateway, account: &Account, content_type: &str, body: &[u8]) -> Self {
        let mut wire = gateway.wire().await;
        let head = request_head(account.token(), content_type, 0, "")
            .replace("Content-Length: 0", "Transfer-Encoding: chunked");
        wire.send(head).await;
        let body = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
        Self { wire, body, sent: 0 }
    }

    /// Sends the body up to this place.
    pub(crate) async fn up_to(&mut self, place: usize) -> &mut Self {
        let place = place.min(self.body.len());
        if let Some(piece) = self.body.get(self.sent..place) {
            self.wire.try_send(piece).await;
            self.sent = place;
        }
        self
    }

    /// Sends all of it but for the last `bytes`.
    pub(crate) async fn all_but(&mut self, bytes: usize) -> &mut Self {
        self.up_to(self.body.len() - bytes).await
    }

    /// Sends the rest and reads the answer.
    pub(crate) async fn finish(&mut self) -> Got {
        self.up_to(usize::MAX).await;
        self.answer().await
    }

    /// Reads the answer, whatever has been sent.
    pub(crate) async fn answer(&mut self) -> Got {
        let head = self.wire.head().await;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = match headers.get("content-length") {
            Some(length) => self.wire.bytes(length.parse().unwrap()).await,
            None => self.wire.until("\r\n0\r\n\r\n").await,
        };
        Got { status, headers, body }
    }

    /// The head of an answer, be it only `100 Continue`.
    pub(crate) async fn head(&mut self) -> String {
        self.wire.head().await
    }
}

impl Got {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The code of its error.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, code: &str) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        assert_eq!((self.status, body["error"]["code"].as_str()), (status, Some(code)), "{self:?}");
    }

    /// That it has a transcript, after so many tries.
    #[track_caller]
    pub(crate) fn is_served(&self, tries: usize) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("x-voxgate-attempts"), tries.to_string(), "{self:?}");
    }
}

/// Has `sender` send half of a recording, and waits until the provider has that.
pub(crate) async fn send_half(gateway: &Gateway, sender: &mut Sender, audio: &[u8], request: usize) {
    sender.up_to(audio.len() / 2).await;
    gateway.provider.receives(request, audio.len() / 2 - ON_THE_WAY).await;
}
