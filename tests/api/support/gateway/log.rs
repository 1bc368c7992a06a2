//! What a process says on one of its outputs, kept line by line as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::poll::TIMEOUT;

pub(crate) struct Log {
    lines: Arc<watch::Sender<Vec<String>>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(watch::Sender::new(Vec::new()));
        let told = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                told.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        Self { lines, reader: Mutex::new(Some(reader)) }
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// Waits for a line that `find` makes something of.
    pub(crate) async fn find<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut lines = self.lines.subscribe();
        let found = |lines: &Vec<String>| lines.iter().find_map(|line| find(line));
        if let Ok(Ok(lines)) = timeout(TIMEOUT, lines.wait_for(|lines| found(lines).is_some())).await {
            return found(&lines).unwrap();
        }
        panic!("{what} was not said in:\n{}", self.text());
    }

    /// Waits for the event with this message.
    pub(crate) async fn event(&self, message: &str) -> Value {
        self.find(message, |line| event(line).filter(|event| event["message"] == message)).await
    }

    /// Waits until the event with this message has come so many times.
    pub(crate) async fn events(&self, message: &str, times: usize) {
        let mut lines = self.lines.subscribe();
        let is_it = |line: &&String| event(line).is_some_and(|event| event["message"] == message);
        let enough = |lines: &Vec<String>| lines.iter().filter(is_it).count() >= times;
        let in_time = timeout(TIMEOUT, lines.wait_for(enough)).await.is_ok();
        assert!(in_time, "{message} was not said {times} times in:\n{}", self.text());
    }

    /// Waits for the event of a finished request.
    pub(crate) async fn request(&self, id: &str) -> Value {
        let is_it = |event: &Value| event["message"] == "request" && event["request_id"] == id;
        self.find(id, |line| event(line).filter(is_it)).await
    }

    /// The events of finished requests so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let lines = self.lines.borrow();
        lines.iter().filter_map(|line| event(line)).filter(|event| event["message"] == "request").collect()
    }

    /// Waits until this many requests have been recorded.
    pub(crate) async fn recorded(&self, requests: usize) {
        let mut lines = self.lines.subscribe();
        let enough = |lines: &Vec<String>| {
            let finished = |line: &&String| event(line).is_some_and(|event| event["message"] == "request");
            lines.iter().filter(finished).count() >= requests
        };
        let in_time = timeout(TIMEOUT, lines.wait_for(enough)).await.is_ok();
        assert!(in_time, "fewer than {requests} requests in:\n{}", self.text());
    }

    /// Waits for the end of the output, which comes with the end of the process.
    pub(crate) fn finish(&self) {
        if let Some(reader) = self.reader.lock().unwrap().take() {
            let _ = reader.join();
        }
    }
}

fn event(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}
