//! Tests of the file itself: the cost of queries, and files of earlier versions.

use super::*;
use crate::domain::UnixMs;
use crate::identity::revocation::TokenRef;
use crate::ledger::PermitId;
use crate::limits::Revision;

/// Makes a file as a gateway of an earlier version left it.
fn file_of_version(version: i64, path: &Path) -> Connection {
    let old = Connection::open(path).unwrap();
    for (_, step) in STEPS.into_iter().filter(|(of, _)| *of <= version) {
        old.execute_batch(step).unwrap();
    }
    old.pragma_update(None, "user_version", version).unwrap();
    old
}

#[test]
fn a_page_of_sessions_costs_what_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("file")).unwrap();
    let plan = |statement: &str, parameters: &[&dyn rusqlite::ToSql]| -> Vec<String> {
        let mut query = database.0.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        query.query_map(parameters, |row| row.get(3)).unwrap().collect::<Result<_>>().unwrap()
    };
    let page = plan(include_str!("../sql/session_page.sql"), &[&"shop", &"", &1, &101]);
    assert_eq!(page, ["SEARCH sessions USING PRIMARY KEY (creator=? AND id>?)"], "and sorts nothing");
    let ended = plan("DELETE FROM sessions WHERE creator = ?1 AND until <= ?2", &[&"shop", &1]);
    assert!(ended[0].contains("sessions_by_creator_and_end (creator=? AND until<?)"), "{ended:?}");
}

#[test]
fn reads_for_callers_and_operators_cost_what_they_return() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("file")).unwrap();
    let plan = |statement: &str, parameters: &[&dyn rusqlite::ToSql]| -> Vec<String> {
        let mut query = database.0.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        query.query_map(parameters, |row| row.get(3)).unwrap().collect::<Result<_>>().unwrap()
    };
    let request = plan(include_str!("../sql/request.sql"), &[&"alice", &"id"]);
    assert_eq!(request, ["SEARCH ledger USING INDEX ledger_by_request (subject=? AND request_id=?)"]);
    let recent = plan(include_str!("../sql/recent.sql"), &[&50]);
    assert_eq!(recent, ["SCAN ledger USING INDEX ledger_by_time"], "from its end, and sorts nothing");
    let callers = plan(include_str!("../sql/totals_by_caller.sql"), &[&"2026-11", &100]);
    assert_eq!(callers, ["SEARCH totals USING INDEX totals_by_money (month=? AND kind=?)"], "and sorts nothing");
    let groups = plan(include_str!("../sql/totals_by_group.sql"), &[&"2026-11"]);
    assert_eq!(groups, ["SEARCH totals USING PRIMARY KEY (month=? AND kind=?)"]);
}

#[test]
fn totals_of_a_file_of_an_earlier_version_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let old = file_of_version(5, &file);
    for (subject, kind, name, requests) in [
        ("alice", "day", "2026-11-01", 1),
        ("alice", "day", "2026-11-02", 2),
        ("bob", "day", "2026-11-02", 4),
        ("bob", "model", "m", 4),
        ("bob", "day", "2026-10-31", 8),
    ] {
        let month = name.get(..7).unwrap_or("2026-11");
        let values = params![subject, month, kind, name, requests, requests * 5, requests * 7];
        old.execute("INSERT INTO tallies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values).unwrap();
    }
    let id = PermitId::new();
    let add = "INSERT INTO ledger VALUES (?1, 1794700800000, 'alice', 'r', 'p', 'm', 'o', 7, 5, 7, 5, 7, NULL, NULL, NULL, 'answered', 2, 0)";
    old.execute(add, [id.to_string()]).unwrap();
    drop(old);
    let month = "2026-11".parse().unwrap();
    let before = Database::open_to_read(&file).unwrap().entries(None, month).unwrap();
    let database = Database::open(&file).unwrap();
    assert_eq!(database.entries(None, month).unwrap(), before);
    let alice = "alice".parse().unwrap();
    assert_eq!(
        (database.request(&alice, "r").unwrap(), database.recent(9).unwrap()),
        (Some(before[0].clone()), before)
    );
    let totals = database.totals(month).unwrap();
    assert_eq!((totals.total().requests, totals.total().audio_ms.get()), (7, 49));
    let callers: Vec<_> = totals.by_caller.iter().map(|one| (one.subject.as_str(), one.tally.requests)).collect();
    assert_eq!((callers, totals.by_model["m"].spent_usd.get()), (vec![("bob", 4), ("alice", 3)], 20));
}

#[test]
fn sessions_of_a_file_of_an_earlier_version_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let old = file_of_version(3, &file);
    let add = "INSERT INTO sessions VALUES (?1, ?2, '{}', ?3)";
    for id in ["one", "two"] {
        old.execute(add, params!["shop", id, 5]).unwrap();
    }
    drop(old);
    let database = Database::open(&file).unwrap();
    let count = || -> Vec<(String, i64)> {
        let mut query = database.0.prepare("SELECT creator, count FROM session_counts ORDER BY creator").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_>>().unwrap()
    };
    assert_eq!(count(), [("shop".to_owned(), 2)]);
    database.0.execute(add, params!["mall", "one", 5]).unwrap();
    database.0.execute("DELETE FROM sessions WHERE id = 'two'", []).unwrap();
    assert_eq!(count(), [("mall".to_owned(), 1), ("shop".to_owned(), 1)]);
    database.0.execute("DELETE FROM sessions", []).unwrap();
    assert_eq!(count(), [], "nothing is kept of makers that have none");
}

#[test]
fn a_file_of_an_earlier_version_is_brought_up_to_date_and_can_be_read_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let old = file_of_version(1, &file);
    drop(old);
    let month = "2026-11".parse().unwrap();
    assert!(Database::open_to_read(&file).unwrap().subjects(month).unwrap().is_empty());
    assert!(Database::open_beside(&file).is_err(), "its gateway has yet to be started");
    let database = Database::open(&file).unwrap();
    let revoked = database.is_revoked(&"alice".parse().unwrap(), &TokenRef::default(), UnixMs::now());
    assert!(!revoked.unwrap() && version(&database.0).unwrap() == VERSION);
    assert!(Database::open_beside(&file).unwrap().is_some());
}

#[test]
fn records_of_an_earlier_version_are_read_before_and_after_it_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let old = file_of_version(4, &file);
    let (id, at) = (PermitId::new(), UnixMs::new(1_794_700_800_000));
    let values = params![id.to_string(), number(at.get())];
    let add =
        "INSERT INTO ledger VALUES (?1, ?2, 'alice', 'r', 'p', 'm', 'o', 7, 5, 7, 5, 7, NULL, NULL, NULL, 'open')";
    old.execute(add, values).unwrap();
    drop(old);
    let read = |database: &Database| {
        let entries = database.entries(None, Month::of(at)).unwrap();
        assert_eq!((entries.len(), entries[0].id, entries[0].info.pieces), (1, id, None));
    };
    read(&Database::open_to_read(&file).unwrap());
    let mut database = Database::open(&file).unwrap();
    read(&database);
    // A permit that an earlier gateway has left open can be changed and settled.
    let writer = database.begin().unwrap();
    let open = writer.open_permit(id).unwrap().unwrap();
    assert_eq!((open.at, open.revision, open.charge.audio.get()), (at, Revision::default(), 7));
}
