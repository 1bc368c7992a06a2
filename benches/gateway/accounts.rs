//! What the gateway says that all callers together have used, by `GET /v1/usage`.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;
use voxgate::domain::NanoUsd;

use super::house::House;
use super::provider::SECONDS;
use super::wire::Wire;

/// What a second of `gpt-transcribe` costs, at $0.0045 a minute.
const NANO_USD_A_SECOND: u64 = 75_000;
/// Settlements are written behind the answers.
const LIMIT: Duration = Duration::from_secs(10);

/// A sum over all callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Accounts {
    /// Admitted.
    requests: u64,
    /// Of them, not settled.
    open: u64,
    audio_ms: u64,
    spent: u64,
}

impl Accounts {
    /// What it must be: those that were answered are charged what the provider said, the others nothing.
    pub(crate) const fn of(requests: u64, answered: u64) -> Self {
        let seconds = answered * SECONDS;
        Self { requests, open: 0, audio_ms: seconds * 1000, spent: seconds * NANO_USD_A_SECOND }
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spent, seconds) = (NanoUsd::new(self.spent), self.audio_ms / 1000);
        write!(f, "{} requests, {} open, {seconds} s of audio, ${spent}", self.requests, self.open)
    }
}

pub(crate) fn shown(found: &Result<Accounts, String>) -> String {
    found.as_ref().map_or_else(Clone::clone, ToString::to_string)
}

/// Asks until everything is settled, or for as long as that may take.
pub(crate) async fn read(house: &House) -> Result<Accounts, String> {
    let end = Instant::now() + LIMIT;
    loop {
        let accounts = sum(house).await?;
        if accounts.open == 0 || Instant::now() > end {
            return Ok(accounts);
        }
        tokio::time::sleep(LIMIT / 50).await;
    }
}

async fn sum(house: &House) -> Result<Accounts, String> {
    let mut wire = Wire::connect(house.gateway.address, 64 * 1024).await.map_err(|error| error.to_string())?;
    let mut sum = Accounts::default();
    for token in &house.tokens {
        let request = format!("GET /v1/usage HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        let body = get(&mut wire, &request).await.map_err(|error| format!("no usage: {error}"))?;
        let usage: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let count = |value: &Value| value.as_u64().ok_or_else(|| format!("no usage: {usage}"));
        let spent = usage["total"]["spent_usd"].as_str().and_then(|text| text.parse::<NanoUsd>().ok());
        sum.requests += count(&usage["total"]["requests"])?;
        sum.open += count(&usage["open"]["requests"])?;
        sum.audio_ms += count(&usage["total"]["audio_ms"])?;
        sum.spent += spent.ok_or_else(|| format!("no usage: {usage}"))?.get();
    }
    Ok(sum)
}

async fn get(wire: &mut Wire, request: &str) -> std::io::Result<Vec<u8>> {
    wire.send(request.as_bytes()).await?;
    let head = wire.head().await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let (mut framing, mut body) = (head.body(), Vec::new());
    while let Some(piece) = wire.piece(&mut framing).await? {
        body.extend_from_slice(piece);
    }
    Ok(body)
}
