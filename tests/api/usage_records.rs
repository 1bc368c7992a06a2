//! `voxgate usage --records`: each request by itself, and those that nobody settled.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup};
use crate::support::provider::{Framing, Gate, Reply, events};
use crate::support::redis_server::Server;
use crate::support::usage_command::{csv_usage, form, json_usage, of, settled, transcribed, usage};

#[tokio::test]
async fn records_say_how_each_request_ended() {
    let gateway = Gateway::start().await;
    let streamed = || Form::new().fields(&[("model", "gpt-transcribe"), ("stream", "true")]).file(&audio::wav(1000));
    let never = Gate::closed();

    let answered = transcribed(&gateway, "answered", form("gpt-4o-transcribe", 1000)).await;
    transcribed(&gateway, "lengths", form("whisper-1", 1000).field("response_format", "verbose_json")).await;
    let refused = form("gpt-transcribe", 1000).field("prompt", "provider: status 400");
    assert_eq!(gateway.send(of(&gateway, "refunded", refused)).await.status, 400);
    let broken = streamed().field("prompt", "provider: break in mid-stream");
    gateway.open(of(&gateway, "broken", broken)).await.rest().await;
    gateway.provider.answer(Reply::stream().send(Framing::PLAIN.event(&events()[0])).wait(&never));
    let mut left = gateway.open(of(&gateway, "left", streamed())).await;
    left.until("\n\n").await;
    drop(left);
    gateway.provider.answer(Reply::stream().held_by(&never));
    let open = tokio::spawn(of(&gateway, "open", form("gpt-transcribe", 1000)).send());
    gateway.provider.asked(6).await;
    settled(&gateway, 6, 1).await;

    let records = json_usage(&gateway, &["--records"])["records"].as_array().unwrap().clone();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |member: &str| record[member].as_str().unwrap();
            (text("subject"), text("ending"), text("estimate_usd"), text("cost_usd"), &record["usage"])
        })
        .collect();
    let expected = [
        ("answered", "answered", "0.0001", "0.000485", json!({ "input_tokens": 14, "output_tokens": 45 })),
        ("lengths", "answered", "0.0001", "0.0002", json!({ "audio_ms": 2000 })),
        ("refunded", "refunded", "0.000075", "0.00", Value::Null),
        ("broken", "broken", "0.000075", "0.000075", Value::Null),
        ("left", "left", "0.000075", "0.000075", Value::Null),
        ("open", "open", "0.000075", "0.000075", Value::Null),
    ];
    let expected: Vec<_> = expected.iter().map(|(who, how, was, is, usage)| (*who, *how, *was, *is, usage)).collect();
    assert_eq!(told, expected);

    let record = &records[0];
    assert_eq!(record["request_id"], answered.request_id());
    assert_eq!((&record["plan"], &record["provider"]), (&json!("default"), &json!("openai")));
    assert_eq!((&record["audio_ms"], &record["charged_audio_ms"]), (&json!(1000), &json!(1000)));
    let at = humantime::parse_rfc3339(record["at"].as_str().unwrap()).unwrap();
    assert!(at.elapsed().unwrap() < Duration::from_mins(2), "{record}");

    let table = usage(&gateway, &["--records", "--subject", "open"]);
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4, "a title, a gap, the names of the columns and one record: {table}");
    assert_eq!(lines[3][2..8], ["open", "open", "gpt-transcribe", "1.000", "-", "0.000075"], "{table}");
    open.abort();
}

async fn what_a_killed_gateway_left_is_told(setup: Setup) {
    let mut gateway = setup.start().await;
    gateway.provider.answer(Reply::stream().held_by(&Gate::closed()));
    let request = tokio::spawn(of(&gateway, "alice", form("gpt-transcribe", 4000)).send());
    gateway.provider.asked(1).await;
    gateway.signal("KILL");
    gateway.ended().await;
    assert!(request.await.unwrap().is_err());
    let records = csv_usage(&gateway, &["--records"]);
    let (names, record) = records.split_once("\r\n").unwrap();
    assert_eq!(names.split(',').count(), record.split(',').count(), "{records}");
    let end = ",\"alice\",\"default\",\"gpt-transcribe\",\"openai\",4000,,,,0.0003,0.0003,4000,\"open\"\r\n";
    assert!(record.replace("\"\"", "").ends_with(end), "{records}");
    assert_eq!(json_usage(&gateway, &[])["open"], json!({ "requests": 1, "audio_ms": 4000, "spent_usd": "0.0003" }));
}

#[tokio::test]
async fn what_a_killed_gateway_left_is_told_from_its_data_directory() {
    what_a_killed_gateway_left_is_told(Setup::new()).await;
}

#[tokio::test]
async fn what_a_killed_gateway_left_is_told_from_redis() {
    let server = Server::start();
    what_a_killed_gateway_left_is_told(Setup::new().env("REDIS_URL", &server.url())).await;
}
