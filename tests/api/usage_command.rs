//! `voxgate usage`: what the operator is told of what callers used, from either store.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gateway::{Gateway, Setup, run, run_into};
use crate::support::provider::{Gate, Reply};
use crate::support::redis_server::{Cluster, Server};
use crate::support::usage_command::{csv_usage, form, json_usage, of, settled, transcribed, usage};

/// The one line that a command said beside what was asked for.
#[track_caller]
fn said(output: &Output) -> &str {
    let said = std::str::from_utf8(&output.stderr).unwrap();
    assert!(said.starts_with("voxgate: ") && said.lines().count() == 1, "{said}");
    said
}

/// A gateway that alice used three times and bob once.
async fn used(setup: Setup) -> Gateway {
    let gateway = setup.start().await;
    let requests = [
        ("bob", "gpt-transcribe", 2000),
        ("alice", "gpt-transcribe", 1500),
        ("alice", "gpt-transcribe", 1500),
        ("alice", "gpt-4o-transcribe", 600),
    ];
    for (subject, model, ms) in requests {
        transcribed(&gateway, subject, form(model, ms)).await;
    }
    settled(&gateway, 4, 0).await;
    gateway
}

/// What is told of it, whatever the store. A minute of gpt-transcribe is $0.0045, and the provider says that it used 14
/// tokens and wrote 45 for gpt-4o-transcribe, at $2.50 and $10.00 a million.
async fn everything_is_told(setup: Setup) {
    let gateway = used(setup).await;
    let everyone = "\"subject\",\"requests\",\"audio_ms\",\"spent_usd\",\"open_requests\",\"open_audio_ms\",\"open_usd\"\r\n\
                    \"alice\",3,3600,0.00071,0,0,0.00\r\n\
                    \"bob\",1,2000,0.00015,0,0,0.00\r\n";
    assert_eq!(csv_usage(&gateway, &[]), everyone);
    let records = json_usage(&gateway, &["--records"]);
    let subjects: Vec<_> = records["records"].as_array().unwrap().iter().map(|record| &record["subject"]).collect();
    assert_eq!(subjects, ["bob", "alice", "alice", "alice"], "the oldest first, whosever it is: {records}");

    let answer = gateway.get("/v1/usage").send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let alice = json_usage(&gateway, &["--subject", "alice"]);
    let members: Vec<_> = alice.as_object().unwrap().keys().collect();
    assert_eq!(members, ["month", "subject", "total", "open", "by_day", "by_model"]);
    for member in members {
        assert_eq!(alice[member], answer[member], "{member}: the command and GET /v1/usage say the same");
    }
    assert_eq!(alice["total"], json!({ "requests": 3, "audio_ms": 3600, "spent_usd": "0.00071" }));
    let by_model = json!([
        { "model": "gpt-4o-transcribe", "requests": 1, "audio_ms": 600, "spent_usd": "0.000485" },
        { "model": "gpt-transcribe", "requests": 2, "audio_ms": 3000, "spent_usd": "0.000225" },
    ]);
    assert_eq!(alice["by_model"], by_model);
}

#[tokio::test]
async fn the_embedded_store_tells_everything() {
    everything_is_told(Setup::new()).await;
}

#[tokio::test]
async fn redis_tells_everything() {
    let server = Server::start();
    everything_is_told(Setup::new().env("REDIS_URL", &server.url())).await;
}

#[tokio::test]
async fn a_redis_cluster_tells_everything_whichever_node_has_it() {
    let cluster = Cluster::start();
    everything_is_told(Setup::new().env("REDIS_URL", &cluster.url())).await;
}

#[tokio::test]
async fn the_table_is_for_people() {
    let gateway = used(Setup::new()).await;
    let gate = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "" })).held_by(&gate));
    let open = tokio::spawn(of(&gateway, "bob", form("gpt-transcribe", 1000)).send());
    gateway.provider.asked(5).await;
    let month = json_usage(&gateway, &[])["month"].as_str().unwrap().to_owned();
    let everyone = format!(
        "Usage in {month} (UTC)\n\
         \n\
         SUBJECT  REQUESTS    AUDIO  SPENT USD  OPEN  OPEN USD\n\
         alice           3  0:00:04   0.000710     -         -\n\
         bob             2  0:00:03   0.000225     1  0.000075\n\
        \x20        --------  -------  ---------  ----  --------\n\
         TOTAL           5  0:00:07   0.000935     1  0.000075\n\
         \n\
         Open requests are not settled, and charged at their estimates: they are in flight, or their gateway died.\n\
         To list them: voxgate usage --month {month} --records\n"
    );
    assert_eq!(usage(&gateway, &[]), everyone);

    let alice = usage(&gateway, &["--subject", "alice"]);
    let day = alice.lines().find(|line| line.starts_with(&month)).expect("no day");
    assert!(day.ends_with("         3  0:00:04   0.000710"), "{alice}");
    let models = "BY MODEL           REQUESTS    AUDIO  SPENT USD\n\
                  gpt-4o-transcribe         1  0:00:01   0.000485\n\
                  gpt-transcribe            2  0:00:03   0.000225\n";
    assert!(alice.ends_with(models), "{alice}");
    gate.open();
    open.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subject_is_one_cell_and_no_formula_in_csv_and_itself_in_json() {
    let gateway = Gateway::start().await;
    let subjects = ["=1+1", "a,\"b\"", "\u{202e}ecila"];
    for subject in subjects {
        transcribed(&gateway, subject, form("gpt-transcribe", 1000)).await;
    }
    settled(&gateway, 3, 0).await;
    let csv = csv_usage(&gateway, &[]);
    let cells: Vec<_> =
        csv.lines().skip(1).map(|line| line.strip_suffix(",1,1000,0.000075,0,0,0.00").unwrap()).collect();
    assert_eq!(cells, ["\"'=1+1\"", "\"a,\"\"b\"\"\"", "\"\u{202e}ecila\""]);
    let json = json_usage(&gateway, &[]);
    let told: Vec<_> = json["subjects"].as_array().unwrap().iter().map(|one| &one["subject"]).collect();
    assert_eq!(told, subjects);
    let table = usage(&gateway, &[]);
    assert!(table.contains("\n=1+1 ") && table.contains("\na,\"b\" ") && table.contains("\\u{202e}ecila"), "{table}");
    let one = json_usage(&gateway, &["--subject", "a,\"b\""]);
    assert_eq!(one["total"]["requests"], 1);
}

#[test]
fn where_nothing_was_used_nothing_is_shown_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let everyone = r#"{"month":"2026-11","total":{"requests":0,"audio_ms":0,"spent_usd":"0.00"},
        "open":{"requests":0,"audio_ms":0,"spent_usd":"0.00"},"subjects":[]}"#;
    for format in ["table", "csv", "json"] {
        for more in [&[][..], &["--records"], &["--subject", "alice"]] {
            let arguments = [&["usage", "--month", "2026-11", "--format", format], more].concat();
            let output = run(&arguments, &[], folder.path());
            assert!(output.status.success(), "{output:?}");
            let said = said(&output);
            assert!(said.contains("2026-11") && said.contains(folder.path().to_str().unwrap()), "{said}");
            // Whoever has the key in another terminal alone looks into other books than the gateway's.
            assert!(said.contains("sandbox") && said.contains("OPENAI_API_KEY"), "{said}");
            let shown = String::from_utf8(output.stdout).unwrap();
            match format {
                "table" => assert_eq!(shown, ""),
                "csv" if more.len() < 2 => assert_eq!(shown.lines().count(), 1, "{shown}"),
                "json" if more.is_empty() => {
                    let shown: Value = serde_json::from_str(&shown).unwrap();
                    assert_eq!(shown, serde_json::from_str::<Value>(everyone).unwrap());
                }
                _ => assert!(!shown.is_empty()),
            }
        }
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn another_month_has_nothing_of_this_one() {
    let server = Server::start();
    for setup in [Setup::new(), Setup::new().env("REDIS_URL", &server.url())] {
        let gateway = setup.start().await;
        transcribed(&gateway, "alice", form("gpt-transcribe", 1000)).await;
        settled(&gateway, 1, 0).await;
        for (arguments, words) in [
            (&[][..], "nothing was used in 2001-01"),
            (&["--subject", "alice"], "alice used nothing in 2001-01"),
            (&["--records"], "kept for 62 days"),
        ] {
            let output = gateway.command(&[&["usage", "--month", "2001-01"], arguments].concat());
            assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
            assert!(said(&output).contains(words), "{output:?}");
        }
    }
}

#[test]
fn a_wrong_argument_is_said() {
    let folder = TempDir::new().unwrap();
    for (arguments, words) in [
        (["--month", "2026-13"], ["2026-13", "2026-11"]),
        (["--month", "november"], ["november", "2026-11"]),
        (["--format", "xml"], ["xml", "json"]),
        (["--subject", "a\nb"], ["--subject", "control characters"]),
    ] {
        let output = run(&[&["usage"], &arguments[..]].concat(), &[], folder.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}

#[test]
fn a_store_that_cannot_be_read_is_said_on_one_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let broken = folder.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("sandbox.sqlite3"), "not a database, however long this may be made to be").unwrap();
    let mut server = Server::start();
    let url = server.url().replace("redis://", "redis://:a-password-that-is-long@");
    server.kill();
    for (name, value) in [
        ("VOXGATE_DATA_DIR", file.join("below").to_str().unwrap()),
        ("VOXGATE_DATA_DIR", broken.to_str().unwrap()),
        ("REDIS_URL", &url),
    ] {
        let output = run(&["usage"], &[(name, value)], folder.path());
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
        let said = said(&output);
        assert!(said.contains(name) && !said.contains("a-password"), "{said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["usage", "--format", "json"][..], &["usage", "--format", "csv"], &["check"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run_into(writer, arguments, &[], folder.path());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panic") && !said.contains("pipe"), "{said}");
    }
}
