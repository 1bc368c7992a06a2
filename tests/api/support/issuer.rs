//! An identity provider: it publishes keys, changes them, goes away, and signs tokens.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::poll::TIMEOUT;

/// A key pair and its name.
pub(crate) struct Pair {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    key: EncodingKey,
}

impl Pair {
    pub(crate) fn rsa(kid: &'static str) -> Self {
        let pem = include_bytes!("../../keys/rsa-2048.test-private.pem");
        Self { kid, algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_pem(pem).unwrap() }
    }

    /// A new one.
    pub(crate) fn p256(kid: &'static str) -> Self {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        Self { kid, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap() }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }
}

/// How it behaves.
#[derive(Clone)]
pub(crate) enum Conduct {
    /// It publishes these keys.
    Publishes(Vec<Value>),
    /// It hangs up on everybody.
    Away,
    /// It answers with this head and body, whatever it is asked.
    Says(String),
    /// It sends more than anybody wants.
    Endless,
}

pub(crate) struct Issuer {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    conduct: Mutex<Conduct>,
    /// The header lines of an answer with keys.
    headers: Mutex<String>,
    name: Mutex<Option<String>>,
    /// How often it was asked for its keys.
    asked: watch::Sender<usize>,
    /// Held while answers have to wait.
    gate: Mutex<()>,
}

impl Issuer {
    pub(crate) fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            conduct: Mutex::new(conduct),
            headers: Mutex::default(),
            name: Mutex::default(),
            asked: watch::Sender::new(0),
            gate: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.answer(&socket, address));
            }
        });
        Self { address, state }
    }

    pub(crate) fn of(pairs: &[&Pair]) -> Self {
        Self::start(Conduct::Publishes(pairs.iter().map(|pair| pair.jwk()).collect()))
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/keys", self.origin())
    }

    pub(crate) fn publishes(&self, pairs: &[&Pair]) {
        self.conducts_itself(Conduct::Publishes(pairs.iter().map(|pair| pair.jwk()).collect()));
    }

    pub(crate) fn conducts_itself(&self, conduct: Conduct) {
        *self.state.conduct.lock().unwrap() = conduct;
    }

    pub(crate) fn header(&self, line: &str) {
        *self.state.headers.lock().unwrap() = format!("{line}\r\n");
    }

    /// The name that its configuration gives, other than its address.
    pub(crate) fn calls_itself(&self, name: &str) {
        *self.state.name.lock().unwrap() = Some(name.to_owned());
    }

    pub(crate) fn asked(&self) -> usize {
        *self.state.asked.borrow()
    }

    /// Waits until it was asked so many times.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        timeout(TIMEOUT, asked.wait_for(|asked| *asked >= times)).await.expect("nobody asks").unwrap();
    }

    /// Runs `during` while no answer is given.
    pub(crate) async fn silent<T>(&self, during: impl Future<Output = T>) -> T {
        let state = Arc::clone(&self.state);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (shut, is_shut) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _gate = state.gate.lock().unwrap();
            shut.send(()).unwrap();
            let _ = ended.recv();
        });
        is_shut.await.unwrap();
        let out = during.await;
        drop(end);
        out
    }
}

impl State {
    fn answer(&self, mut socket: &TcpStream, address: SocketAddr) {
        let mut lines = BufReader::new(socket).lines().map_while(Result::ok);
        let Some(first) = lines.next() else { return };
        for _ in lines.by_ref().take_while(|line| !line.is_empty()) {}
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let issuer = path.strip_suffix("/.well-known/openid-configuration");
        if issuer.is_none() {
            self.asked.send_modify(|asked| *asked += 1);
        }
        drop(self.gate.lock().unwrap());
        let conduct = self.conduct.lock().unwrap().clone();
        let _ = match (conduct, issuer) {
            (Conduct::Away, _) => Ok(()),
            (Conduct::Says(text), _) => socket.write_all(text.as_bytes()),
            (Conduct::Endless, _) => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"keys\": [");
                while socket.write_all(&[b' '; 4096]).is_ok() {}
                Ok(())
            }
            (Conduct::Publishes(_), Some(issuer)) => {
                let name = self.name.lock().unwrap().clone().unwrap_or_else(|| format!("http://{address}{issuer}"));
                let jwks_uri = format!("http://{address}/keys");
                socket.write_all(ok("", &json!({ "issuer": name, "jwks_uri": jwks_uri })).as_bytes())
            }
            (Conduct::Publishes(keys), None) => {
                socket.write_all(ok(&self.headers.lock().unwrap(), &json!({ "keys": keys })).as_bytes())
            }
        };
    }
}

fn ok(headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
