//! The charge and the ending of a request in pieces.

use std::sync::Arc;

use crate::admission::testing::{Settlements, permit};
use crate::config::Model;
use crate::domain::{AudioMs, NanoUsd};
use crate::ledger::{Charge, Ending, Price, Report, TokenPrice, Usage};
use crate::limits::Settlement;
use crate::models::{AttemptFailure, AttemptLog, AttemptTarget};

fn usd(text: &str) -> NanoUsd {
    text.parse().unwrap()
}

pub(super) fn target(name: &str) -> AttemptTarget {
    let tokens = TokenPrice { input: usd("2.50"), output: usd("10.00") };
    let price = match name {
        "tokens" => Price { per_minute: usd("0.006"), tokens: Some(tokens) },
        _ => Price { per_minute: usd("0.0045"), tokens: None },
    };
    let model = Model { price: Some(price), ..Model::unknown(name) };
    AttemptTarget { model: Arc::new(model), provider: format!("{name}-provider"), key: None }
}

pub(super) const fn seconds(seconds: u64) -> AudioMs {
    AudioMs::new(seconds * 1000)
}

pub(super) fn tokens(input: u64, output: u64) -> Report {
    Report { usage: Some(Usage::Tokens { input, output }), duration: None }
}

pub(super) fn length(length: AudioMs) -> Report {
    Report { usage: Some(Usage::Length(length)), duration: None }
}

/// Has a provider receive a whole piece.
fn receive(log: &AttemptLog, model: &str) {
    log.begin_attempt(target(model)).upload().set();
}

fn settled(mut settlements: Settlements) -> Settlement {
    let settlement = settlements.next().unwrap();
    assert!(settlements.next().is_none());
    settlement
}

#[test]
fn each_piece_costs_what_the_model_that_heard_it_reports_or_its_own_length() {
    let (mut permit, settlements) = permit("m", seconds(100));
    let attempts = permit.attempts();
    let by_tokens = attempts.begin_piece(seconds(10), 0);
    receive(&by_tokens, "tokens");
    by_tokens.piece_transcribed(tokens(14, 45));
    let by_length = attempts.begin_piece(seconds(20), 0);
    receive(&by_length, "minutes");
    by_length.piece_transcribed(length(seconds(21)));
    let silent_on_usage = attempts.begin_piece(seconds(30), 1000);
    receive(&silent_on_usage, "tokens");
    silent_on_usage.piece_transcribed(Report::default());
    let too_much = attempts.begin_piece(seconds(5), 0);
    receive(&too_much, "minutes");
    too_much.piece_transcribed(length(seconds(3600)));
    // The usage of the joined answer.
    permit.record_usage(length(seconds(56)));
    permit.answered();
    drop(permit);
    let settlement = settled(settlements);
    // 485 000 for the tokens; 21 s and 5 s at 75 000 a second; 30 s at 100 000 a second and 1000 bytes at 2500 each.
    let expected = 485_000 + 21 * 75_000 + 5 * 75_000 + 30 * 100_000 + 1000 * 2500;
    assert_eq!(settlement.cost, Charge { usd: NanoUsd::new(expected), audio: seconds(10 + 21 + 30 + 5) });
    assert_eq!((settlement.ending, settlement.info.pieces), (Ending::Answered, Some(4)));
    assert_eq!(settlement.usage, length(seconds(66)).usage, "one piece has reported no tokens");
    assert_eq!(settlement.audio, seconds(100), "the recording, silence included");
}

#[test]
fn tokens_are_summed_if_every_piece_has_reported_them() {
    let (mut permit, settlements) = permit("m", seconds(100));
    for report in [tokens(14, 45), tokens(1, 2)] {
        let log = permit.attempts().begin_piece(seconds(10), 0);
        receive(&log, "tokens");
        log.piece_transcribed(report);
    }
    permit.answered();
    drop(permit);
    let settlement = settled(settlements);
    assert_eq!(settlement.usage, tokens(15, 47).usage);
    assert_eq!(settlement.cost.usd, NanoUsd::new(485_000 + 22_500));
}

#[test]
fn what_was_heard_is_charged_and_what_failed_is_not_however_the_request_ends() {
    // The progress of three pieces, whether the client got an error or left, and the ending with the charged seconds.
    for (heard, held, is_error, ending, charged) in [
        (true, false, true, Ending::Broken, 10),
        (true, false, false, Ending::Left, 10),
        (true, true, true, Ending::Broken, 30),
        (true, true, false, Ending::Left, 30),
        (false, true, false, Ending::Left, 20),
        (false, true, true, Ending::Broken, 20),
        (false, false, true, Ending::Refunded, 0),
        (false, false, false, Ending::Refunded, 0),
    ] {
        let (mut permit, settlements) = permit("m", seconds(100));
        let attempts = permit.attempts();
        if heard {
            let log = attempts.begin_piece(seconds(10), 0);
            receive(&log, "minutes");
            log.piece_transcribed(Report::default());
        }
        if held {
            receive(&attempts.begin_piece(seconds(20), 0), "minutes");
        }
        let failed = attempts.begin_piece(seconds(40), 0).begin_attempt(target("minutes"));
        failed.upload().set();
        failed.fail(AttemptFailure::Provider);
        if is_error {
            permit.failed();
        }
        drop(permit);
        let settlement = settled(settlements);
        let expected = Charge { usd: NanoUsd::new(charged * 75_000), audio: seconds(charged) };
        assert_eq!((settlement.ending, settlement.cost), (ending, expected), "{heard} {held} {is_error}");
    }
}

#[test]
fn a_client_deadline_pays_for_the_pieces_that_providers_had() {
    let (mut permit, settlements) = permit("m", seconds(100));
    let entry = permit.attempts().begin_piece(seconds(20), 0).begin_attempt(target("minutes"));
    entry.upload().set();
    entry.fail(AttemptFailure::ClientDeadline);
    permit.failed();
    drop(permit);
    let settlement = settled(settlements);
    assert_eq!((settlement.ending, settlement.cost.audio), (Ending::Left, seconds(20)));
}

#[test]
fn a_recording_that_was_refused_whole_costs_only_its_pieces() {
    let (mut permit, settlements) = permit("m", seconds(100));
    let attempts = permit.attempts();
    let whole = attempts.begin_forwarding();
    let entry = whole.begin_attempt(target("minutes"));
    entry.upload().set();
    entry.fail(AttemptFailure::Provider);
    whole.finish();
    let log = attempts.begin_piece(seconds(10), 0);
    receive(&log, "minutes");
    log.piece_transcribed(Report::default());
    log.finish();
    assert!(attempts.are_over());
    permit.answered();
    drop(permit);
    let settlement = settled(settlements);
    assert_eq!((settlement.cost.audio, settlement.info.pieces), (seconds(10), Some(1)));
}

#[test]
fn a_recording_without_speech_costs_nothing() {
    let (mut permit, settlements) = permit("m", seconds(100));
    permit.attempts().divide();
    permit.answered();
    drop(permit);
    let settlement = settled(settlements);
    let facts = (settlement.ending, settlement.cost, settlement.usage, settlement.info.pieces);
    assert_eq!(facts, (Ending::Answered, Charge::NONE, None, Some(0)));
}

#[test]
fn a_piece_that_was_delivered_in_part_is_charged_once() {
    // Its stream broke off, and it was tried again: without an attempt, in vain, or with success.
    for (is_asked_again, is_heard, charged) in [(false, false, 20), (true, false, 20), (true, true, 7)] {
        let (mut permit, settlements) = permit("m", seconds(100));
        let log = permit.attempts().begin_piece(seconds(20), 0);
        receive(&log, "minutes");
        log.piece_delivered();
        log.finish();
        log.piece_failed();
        if is_asked_again {
            let entry = log.begin_attempt(target("minutes"));
            entry.upload().set();
            if is_heard {
                log.piece_transcribed(length(seconds(7)));
            } else {
                entry.fail(AttemptFailure::Provider);
            }
        }
        permit.failed();
        drop(permit);
        let settlement = settled(settlements);
        let expected = Charge { usd: NanoUsd::new(charged * 75_000), audio: seconds(charged) };
        assert_eq!((settlement.ending, settlement.cost), (Ending::Broken, expected), "{is_asked_again} {is_heard}");
        assert_eq!(settlement.info.pieces, Some(1));
    }
}
