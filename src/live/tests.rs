//! Sessions and their readers, without a gateway around them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::registry::LiveSessions;
use super::session::{Commands, LiveSession, SessionFacts};
use super::status::Phase;
use super::{PieceRefused, ReadEventsError};
use crate::config;
use crate::domain::{AudioMs, Subject, UnixMs};
use crate::fair_share::ShareKey;
use crate::intake::SpoolQuota;
use crate::speech::LiveFormat;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

fn quota(directory: &Path) -> Arc<SpoolQuota> {
    let spool = config::Spool {
        spool_dir: directory.to_owned(),
        spool_memory_bytes: 0,
        max_spool_memory_bytes: 0,
        max_spool_disk_bytes: 1 << 30,
    };
    SpoolQuota::new(&spool, 1 << 20)
}

fn session(directory: &Path) -> (Arc<LiveSession>, Commands) {
    let facts = SessionFacts {
        model: "m".to_owned(),
        created_at: UnixMs::new(0),
        expires_at: UnixMs::new(3_600_000),
        format: LiveFormat::Auto,
        idle_timeout: Duration::from_secs(60),
    };
    let subject: Subject = "alice".parse().unwrap();
    LiveSession::new(subject, facts, &quota(directory), ShareKey::of_caller("alice")).unwrap()
}

async fn read_all(session: &Arc<LiveSession>, after: u64) -> String {
    let mut reader = session.read_events(after, KEEP_ALIVE).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await {
        all.extend_from_slice(&bytes);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_gets_comments_and_no_event_is_split_by_them() {
    let directory = tempfile::tempdir().unwrap();
    let (session, _commands) = session(directory.path());
    let mut reader = session.read_events(0, KEEP_ALIVE).await.unwrap();
    let comment = Bytes::from_static(b": keep-alive\n\n");
    for _ in 0..3 {
        assert_eq!(reader.next().await.unwrap(), comment);
    }
    session.events.push("{\"n\":1}").await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Bytes::from_static(b"id: 22\ndata: {\"n\":1}\n\n"));
    assert_eq!(reader.next().await.unwrap(), comment);
    session.events.fail("{}");
    assert!(reader.next().await.unwrap().ends_with(b"data: {}\n\n"));
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn the_last_event_has_the_text_of_all_deltas_however_long() {
    let directory = tempfile::tempdir().unwrap();
    let (session, _commands) = session(directory.path());
    let mut text = String::new();
    for number in 0..3_000 {
        let delta = format!(" word{number}");
        session.events.push_delta(&delta, &format!("{{\"delta\":\"{delta}\"}}")).await.unwrap();
        text.push_str(&delta);
    }
    session.events.finish(Some(r#"{"type":"duration","seconds":2.5}"#), AudioMs::new(1500)).await.unwrap();
    let stream = read_all(&session, 0).await;
    let events: Vec<_> = stream.split_terminator("\n\n").collect();
    assert_eq!((events.len(), events[3_001].ends_with("data: [DONE]")), (3_002, true));
    let done = events[3_000].split_once("data: ").unwrap().1;
    let done: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!((done["text"].as_str(), done["duration"].as_f64()), (Some(text.as_str()), Some(1.5)));
    assert_eq!(done["usage"]["seconds"], 2.5);
    // Each id is the place behind its event.
    let id = |event: &str| event.split_once('\n').unwrap().0.trim_start_matches(": keep-alive").to_owned();
    let third = id(events[3]).trim_start_matches("id: ").parse::<u64>().unwrap();
    assert!(read_all(&session, third).await.contains(events[4]));
    assert!(matches!(session.read_events(third + 1, KEEP_ALIVE).await, Err(ReadEventsError::UnknownEvent)));
}

#[tokio::test]
async fn a_session_has_no_more_events_than_there_is_room_for() {
    let directory = tempfile::tempdir().unwrap();
    let (session, _commands) = session(directory.path());
    let event = format!("\"{}\"", "x".repeat(100_000));
    let mut count = 0;
    while session.events.push_delta(&event, &event).await.is_ok() {
        count += 1;
    }
    assert!((8..42).contains(&count), "{count}");
    session.events.finish(None, AudioMs::new(0)).await.unwrap();
}

#[tokio::test]
async fn a_session_whose_task_is_gone_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (session, commands) = session(directory.path());
    drop(commands);
    assert!(matches!(session.check_piece(1), Err(PieceRefused::WrongSeq { seq: 1, next_seq: 0 })));
    session.set_phase(Phase::Ended);
    assert!(matches!(session.check_piece(0), Err(PieceRefused::Ended)));
    session.end().await;
    session.delete().await;
}

#[tokio::test]
async fn places_are_given_back_and_old_sessions_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = Arc::new(LiveSessions::default());
    let first = sessions.take_slot(1).unwrap();
    assert!(sessions.take_slot(1).is_err());
    drop(first);
    assert_eq!(sessions.open(), 0);
    let mut ids = Vec::new();
    for _ in 0..6 {
        let _slot = sessions.take_slot(1).unwrap();
        let (session, _commands) = session(directory.path());
        sessions.add(&session);
        sessions.ended(session.id());
        ids.push(session.id().clone());
    }
    let found: Vec<_> = ids.iter().map(|id| sessions.find(id.as_str()).is_some()).collect();
    assert_eq!(found, [false, false, true, true, true, true]);
    sessions.forget(&ids[5]);
    assert!(sessions.find(ids[5].as_str()).is_none() && sessions.find("live_").is_none());
}
