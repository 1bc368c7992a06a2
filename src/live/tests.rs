//! Sessions and their readers, without a gateway around them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::registry::LiveSessions;
use super::session::{Commands, LiveSession, SessionFacts};
use super::status::Phase;
use super::{EventReader, PieceRefused, ReadEventsError};
use crate::config;
use crate::domain::{AudioMs, Subject, UnixMs};
use crate::fair_share::ShareKey;
use crate::intake::SpoolQuota;
use crate::speech::LiveFormat;
use crate::split::join::TurnSegment;

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
    session_of(directory, "alice")
}

fn session_of(directory: &Path, caller: &str) -> (Arc<LiveSession>, Commands) {
    let facts = SessionFacts {
        model: "m".to_owned(),
        created_at: UnixMs::new(0),
        expires_at: UnixMs::new(3_600_000),
        format: LiveFormat::Auto,
        idle_timeout: Duration::from_mins(1),
    };
    let subject: Subject = caller.parse().unwrap();
    LiveSession::new(subject, facts, &quota(directory), ShareKey::of_caller(caller)).unwrap()
}

fn segment(number: u64, delta: &str) -> TurnSegment {
    let (start, end) = (AudioMs::new(number), AudioMs::new(number));
    TurnSegment { number, delta: delta.to_owned(), text: delta.trim().to_owned(), start, end }
}

async fn read_all(session: &Arc<LiveSession>, after: u64) -> String {
    let mut reader = EventReader::open(session, after, KEEP_ALIVE).await.unwrap();
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
    let mut reader = EventReader::open(&session, 0, KEEP_ALIVE).await.unwrap();
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
        session.events.push_turn(&[segment(number, &delta)]).await.unwrap();
        text.push_str(&delta);
    }
    session.events.finish(Some(r#"{"type":"duration","seconds":2.5}"#), AudioMs::new(1500)).await.unwrap();
    let stream = read_all(&session, 0).await;
    let events: Vec<_> = stream.split_terminator("\n\n").collect();
    assert_eq!((events.len(), events[6_001].ends_with("data: [DONE]")), (6_002, true));
    let done = events[6_000].split_once("data: ").unwrap().1;
    let done: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!((done["text"].as_str(), done["duration"].as_f64()), (Some(text.as_str()), Some(1.5)));
    assert_eq!(done["usage"]["seconds"], 2.5);
    // Each id is the place behind its event.
    let id = |event: &str| event.split_once('\n').unwrap().0.trim_start_matches(": keep-alive").to_owned();
    let third = id(events[3]).trim_start_matches("id: ").parse::<u64>().unwrap();
    assert!(read_all(&session, third).await.contains(events[4]));
    assert!(matches!(EventReader::open(&session, third + 1, KEEP_ALIVE).await, Err(ReadEventsError::UnknownEvent)));
}

#[tokio::test]
async fn a_session_has_no_more_events_than_there_is_room_for() {
    let directory = tempfile::tempdir().unwrap();
    let (session, _commands) = session(directory.path());
    let words = "x".repeat(100_000);
    let mut count = 0;
    while session.events.push_turn(&[segment(count, &words)]).await.is_ok() {
        count += 1;
    }
    assert!((5..20).contains(&count), "{count}");
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
    session.delete();
}

#[tokio::test]
async fn places_are_shared_and_old_sessions_make_room_for_those_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = LiveSessions::new(5);
    let [alice, bob] = ["alice", "bob"].map(ShareKey::of_caller);
    let slots: Vec<_> = (0..5).map_while(|_| sessions.take_slot(alice).ok()).collect();
    assert_eq!((slots.len(), sessions.open()), (4, 4));
    let of_bob = sessions.take_slot(bob).unwrap();
    assert!(sessions.take_slot(bob).is_err());
    drop((slots, of_bob));
    assert_eq!(sessions.open(), 0);
    let over = |caller: &str| {
        let session = session_of(directory.path(), caller).0;
        sessions.add(&session);
        sessions.ended(session.id());
        session.id().clone()
    };
    let first = over("bob");
    let of_alice: Vec<_> = (0..6).map(|_| over("alice")).collect();
    let found: Vec<_> = of_alice.iter().map(|id| sessions.find(id.as_str()).is_some()).collect();
    assert_eq!((sessions.find(first.as_str()).is_some(), found), (true, vec![false, false, true, true, true, true]));
    sessions.forget(&first);
    assert!(sessions.find(first.as_str()).is_none() && sessions.find("live_").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_waits_for_its_sessions_but_not_for_ever() {
    let sessions = LiveSessions::new(5);
    sessions.stop(Duration::from_secs(5)).await;
    let slot = sessions.take_slot(ShareKey::of_caller("alice")).unwrap();
    let began = tokio::time::Instant::now();
    sessions.stop(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    tokio::time::timeout(Duration::from_secs(1), sessions.stopping()).await.unwrap();
    let (stopped, ()) = tokio::join!(sessions.stop(Duration::from_secs(5)), async { drop(slot) });
    assert_eq!((stopped, began.elapsed()), ((), Duration::from_secs(5)));
}
