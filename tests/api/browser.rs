//! The gateway's own pages in a real browser, used as a reader uses them.
//!
//! `make test-browser` installs Chromium and requires it. Elsewhere the tests are skipped if there is none.

mod console;
mod live;
mod operator;
mod pages;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::gateway::Setup;
use crate::support::provider::TRANSCRIPT;
use crate::support::repository::{self, readme_block};
use crate::support::tools::{BROWSER, require_tool};
use crate::support::{audio, token};

fn browser() -> Option<PathBuf> {
    require_tool("tests/browser/node_modules/playwright-core", BROWSER)?;
    require_tool("chromium", BROWSER)
}

#[tokio::test]
async fn every_operation_of_the_docs_page_succeeds_as_the_page_fills_it_in() {
    let Some(chromium) = browser() else { return };
    let gateway = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL").start().await;
    let token = token::with(&json!({ "scope": "transcribe translate usage sessions" }));
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/docs.mjs")).env("CHROMIUM", chromium).env("TOKEN", token);
    command.env("DOCS_URL", gateway.url("/docs")).env("RECORDING", audio::media().join("sample.wav"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{said}");
    let pressed: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Nothing of the contract is passed over but what needs an id.
    let contract: Value = serde_norway::from_str(voxgate::http::OPENAPI).unwrap();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let is_it = |one: &&Value| one["path"] == path.as_str() && one["method"] == method.to_uppercase().as_str();
            let types = item[method]["requestBody"]["content"].as_object().map_or(1, serde_json::Map::len);
            let times = pressed.iter().filter(is_it).count();
            assert!(path.contains('{') || times >= types, "{method} {path} was tried {times} times: {out}");
        }
    }
}

/// Answers one request with a page. A browser that goes away in the middle is no matter.
fn serve(mut connection: &TcpStream, page: &str) {
    let mut request = BufReader::new(connection).lines().map_while(Result::ok);
    if request.any(|line| line.is_empty()) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n";
        let _ = write!(connection, "{head}content-length: {}\r\n\r\n{page}", page.len());
    }
}

#[tokio::test]
async fn the_page_of_the_readme_transcribes_a_file_and_the_microphone() {
    let Some(chromium) = browser() else { return };
    // As `python3 -m http.server` would serve it. It has to come from this machine: a browser lets no page from elsewhere send
    // anything to a loopback address.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://localhost:{}", server.local_addr().unwrap().port());
    let gateway = Setup::new().env("VOXGATE_CORS__ORIGINS", &origin).start().await;
    let page = readme_block("<!doctype html>").replace("127.0.0.1:8080", &gateway.address.to_string());
    std::thread::spawn(move || server.incoming().flatten().for_each(|connection| serve(&connection, &page)));
    let mut command = Command::new(repository::path(".test-tools/node"));
    command.arg(repository::path("tests/browser/page.mjs")).env("CHROMIUM", chromium).env("TOKEN", token::good());
    command.env("ORIGIN", &origin).env("RECORDING", audio::media().join("sample.wav")).env("TRANSCRIPT", TRANSCRIPT);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{said}");
    let got: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |way: &str| got.iter().find(|one| one["way"] == way).unwrap_or_else(|| panic!("{out}"))["text"].clone();
    assert_eq!([of("file"), of("microphone"), of("narrow")], [TRANSCRIPT, TRANSCRIPT, "it fits"]);
    assert!(of("refused").as_str().unwrap().contains("token"), "{out}");
    assert!(got.iter().all(|one| one["error"].is_null()), "{out}");
}
