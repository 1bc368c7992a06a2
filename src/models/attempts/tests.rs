//! Attempts of a request that goes on whole, or in pieces.

use super::*;
use crate::config::Model;
use crate::ledger::Usage;
use crate::models::PieceProgress::{self, Held, NotHeld, Transcribed};

fn target() -> AttemptTarget {
    AttemptTarget { model: Arc::new(Model::unknown("m")), provider: "p".to_owned(), key: None }
}

#[test]
fn only_the_last_upload_says_whether_a_provider_has_the_recording() {
    let attempts = Attempts::default();
    let log = attempts.begin_forwarding();
    let first = log.begin_attempt(target());
    let first_upload = first.upload();
    first_upload.set();
    assert!(attempts.have_recording());
    first.fail(AttemptFailure::Provider);
    assert!(!attempts.have_recording());
    let mut second = log.begin_attempt(target());
    // The upload of an abandoned attempt may still be read to its end.
    first_upload.set();
    assert!(!attempts.have_recording());
    second.upload().set();
    assert_eq!((attempts.have_recording(), attempts.count()), (true, 2));
    second.restart_upload();
    assert_eq!((attempts.have_recording(), attempts.count()), (false, 2));
}

#[test]
fn a_withdrawn_forwarding_counts_only_what_providers_have_failed() {
    let attempts = Attempts::default();
    let log = attempts.begin_forwarding();
    log.begin_attempt(target()).fail(AttemptFailure::Provider);
    let open = log.begin_attempt(target());
    open.upload().set();
    attempts.withdraw();
    assert_eq!((attempts.count(), attempts.have_recording(), attempts.are_over()), (1, false, false));
    let log = attempts.begin_forwarding();
    drop(log.begin_attempt(target()));
    assert!(!attempts.are_over());
    log.finish();
    assert_eq!((attempts.count(), attempts.are_over()), (2, true));
}

#[test]
fn pieces_that_are_forwarded_side_by_side_are_over_when_the_last_one_is() {
    let attempts = Attempts::default();
    let logs = [attempts.begin_forwarding(), attempts.begin_forwarding()];
    let entries = logs.each_ref().map(|log| log.begin_attempt(target()));
    entries[1].upload().set();
    assert_eq!((attempts.count(), attempts.have_recording()), (2, true));
    logs[0].finish();
    assert!(!attempts.are_over());
    logs[1].finish();
    assert!(attempts.are_over());
}

#[test]
fn a_client_leaves_only_a_provider_that_has_the_whole_recording() {
    for has_recording in [false, true] {
        let attempts = Attempts::default();
        let entry = attempts.begin_forwarding().begin_attempt(target());
        if has_recording {
            entry.upload().set();
        }
        entry.fail(AttemptFailure::ClientDeadline);
        assert_eq!((attempts.abandoned_by_client(), attempts.have_recording()), (has_recording, false));
    }
}

fn progress(attempts: &Attempts) -> Vec<PieceProgress> {
    attempts.pieces().unwrap().iter().map(|piece| piece.progress).collect()
}

#[test]
fn a_piece_is_heard_or_held_or_neither() {
    let attempts = Attempts::default();
    let length = AudioMs::new(1000);
    assert!(attempts.pieces().is_none(), "the recording goes on as it is");
    let logs = [(); 4].map(|()| attempts.begin_piece(length, 0));
    assert_eq!(progress(&attempts), [], "no provider has been asked");
    let mut entries = logs.each_ref().map(|log| log.begin_attempt(target())).into_iter();
    for upload in entries.by_ref().take(2).map(|entry| entry.upload()) {
        upload.set();
    }
    let report = Report { usage: Some(Usage::Length(length)), duration: None };
    logs[0].piece_transcribed(report);
    let (failed, deadline) = (entries.next().unwrap(), entries.next().unwrap());
    failed.upload().set();
    failed.fail(AttemptFailure::Provider);
    deadline.upload().set();
    deadline.fail(AttemptFailure::ClientDeadline);
    assert_eq!(progress(&attempts), [Transcribed, Held, NotHeld, Held]);
    logs[1].piece_failed();
    assert_eq!(progress(&attempts), [Transcribed, NotHeld, NotHeld, Held]);
}

#[test]
fn a_piece_that_is_tried_again_is_one_piece_with_a_fresh_report() {
    let attempts = Attempts::default();
    let log = attempts.begin_piece(AudioMs::new(1000), 5);
    let report = Report { usage: Some(Usage::Length(AudioMs::new(9))), duration: None };
    log.begin_attempt(target()).upload().set();
    log.piece_usage(report);
    log.piece_failed();
    log.finish();
    assert!(attempts.are_over());
    log.begin_attempt(target()).upload().set();
    let pieces = attempts.pieces().unwrap();
    assert_eq!((pieces.len(), pieces[0].report, pieces[0].text), (1, Report::default(), 5));
    assert_eq!((attempts.count(), attempts.are_over()), (2, false));
}

/// Has a provider hear a piece, and returns the log.
fn heard(attempts: &Attempts) -> AttemptLog {
    let log = attempts.begin_piece(AudioMs::new(1000), 0);
    log.begin_attempt(target()).upload().set();
    log.finish();
    log.piece_transcribed(Report::default());
    log
}

#[test]
fn a_piece_is_taken_when_nothing_can_change_it_any_more() {
    let attempts = Attempts::default();
    drop(attempts.begin_forwarding().begin_attempt(target()));
    assert_eq!(attempts.take_finished_pieces().len(), 0, "the recording goes on as it is");
    let log = heard(&attempts);
    assert_eq!(attempts.take_finished_pieces().len(), 0, "its answer may turn out to be useless");
    drop(log);
    assert_eq!(attempts.take_finished_pieces().iter().map(|piece| piece.progress).collect::<Vec<_>>(), [Transcribed]);
    assert_eq!((attempts.take_finished_pieces().len(), attempts.pieces().unwrap().len()), (0, 0), "once");
    let upload = attempts.begin_piece(AudioMs::new(1000), 0).begin_attempt(target()).upload();
    assert_eq!(attempts.take_finished_pieces().len(), 0, "its upload may become complete");
    upload.set();
    assert_eq!(attempts.take_finished_pieces()[0].progress, Held);
    drop(attempts.begin_piece(AudioMs::new(1000), 0).begin_attempt(target()).upload());
    assert_eq!(attempts.take_finished_pieces()[0].progress, NotHeld);
    drop(attempts.begin_piece(AudioMs::new(1000), 0));
    assert_eq!(attempts.take_finished_pieces().len(), 0, "it went to no provider");
    assert!(attempts.lock().all.is_empty());
}

#[test]
fn the_log_of_a_piece_stays_its_own_when_earlier_ones_are_taken() {
    let attempts = Attempts::default();
    let (first, second) = (heard(&attempts), heard(&attempts));
    drop(first);
    assert_eq!(attempts.take_finished_pieces().len(), 1);
    let third = heard(&attempts);
    second.piece_failed();
    assert_eq!(progress(&attempts), [NotHeld, Transcribed]);
    drop((second, third));
    assert_eq!((attempts.count(), attempts.have_recording()), (3, true));
}

#[test]
fn an_hour_of_turns_takes_no_more_memory_than_those_in_flight() {
    let attempts = Attempts::default();
    let mut in_flight = std::collections::VecDeque::new();
    let mut taken = 0;
    for _ in 0..3600 {
        in_flight.push_back(heard(&attempts));
        if in_flight.len() > 4 {
            in_flight.pop_front();
        }
        taken += attempts.take_finished_pieces().len();
        assert!(attempts.lock().all.len() <= 4);
    }
    drop(in_flight);
    assert_eq!((taken + attempts.take_finished_pieces().len(), attempts.count()), (3600, 3600));
    // A node of the map has room for eleven forwardings.
    assert!(size_of_val(&*attempts.lock()) + 11 * size_of::<ForwardState>() < 8 * 1024);
}
