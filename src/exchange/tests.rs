//! The reports of an exchange to the permit and the record.

use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::facts::Outcome;
use super::{Exchange, Record};
use crate::admission::testing::{Settlements, permit};
use crate::config::Model;
use crate::domain::AudioMs;
use crate::ledger::{Ending, Report, Usage};
use crate::models::AttemptTarget;
use crate::upstream::{Refused, RefusedBody, UpstreamError};

const LENGTH: AudioMs = AudioMs::new(4000);

fn exchange() -> (Exchange, Record, Settlements) {
    let record = Record::start("a-request".to_owned(), "POST", "/a/route");
    let (permit, settlements) = permit("m", LENGTH);
    (Exchange::new(permit, record.clone()), record, settlements)
}

fn target(provider: &str) -> AttemptTarget {
    AttemptTarget { model: Arc::new(Model::unknown("m")), provider: provider.to_owned(), key: None }
}

fn usage(length: u64) -> Report {
    Report { usage: Some(Usage::Length(AudioMs::new(length))), duration: None }
}

#[test]
fn a_stream_that_ends_well_is_answered_and_costs_what_the_provider_reports() {
    let (mut exchange, record, mut settlements) = exchange();
    exchange.delivered();
    exchange.usage(usage(3000));
    exchange.completed();
    assert!(settlements.next().is_none(), "the stream goes on");
    exchange.finish_stream();
    let settlement = settlements.next().unwrap();
    assert_eq!((settlement.ending, settlement.cost.audio), (Ending::Answered, AudioMs::new(3000)));
    let facts = record.facts();
    assert!(facts.first_event.is_some() && facts.usage == usage(3000).usage && facts.outcome == Outcome::Answered);
}

#[test]
fn a_stream_that_breaks_off_is_charged_if_part_of_it_was_delivered() {
    for (delivered, ending) in [(true, Ending::Broken), (false, Ending::Refunded)] {
        let (mut exchange, record, mut settlements) = exchange();
        if delivered {
            exchange.delivered();
        }
        exchange.broken_off(&UpstreamError::Broken);
        exchange.finish_stream();
        assert_eq!(settlements.next().unwrap().ending, ending);
        assert_eq!(record.facts().outcome, Outcome::StreamBroken);
    }
}

#[test]
fn an_exchange_that_is_dropped_is_charged_if_a_provider_has_the_recording() {
    for (has_recording, ending) in [(true, Ending::Left), (false, Ending::Refunded)] {
        let (mut exchange, record, mut settlements) = exchange();
        let entry = exchange.begin_forwarding(&Model::unknown("m")).begin_attempt(target("p"));
        if has_recording {
            entry.upload().set();
        }
        drop(exchange);
        let settlement = settlements.next().unwrap();
        assert_eq!((settlement.ending, settlement.info.provider.as_str()), (ending, "p"));
        assert_eq!(record.facts().outcome, Outcome::ClientGone);
    }
}

#[test]
fn pieces_side_by_side_are_attempts_of_one_exchange() {
    let (mut exchange, record, mut settlements) = exchange();
    let model = Model::unknown("m");
    let logs = [exchange.begin_forwarding(&model), exchange.begin_forwarding(&model)];
    let entries = logs.each_ref().map(|log| log.begin_attempt(target("p")));
    entries[0].upload().set();
    logs[0].finish();
    assert_eq!(record.served(), None, "a piece is still under way");
    logs[1].finish();
    assert_eq!(record.served(), Some(("p".to_owned(), 2)));
    exchange.finish_whole(Report::default());
    let settlement = settlements.next().unwrap();
    assert_eq!((settlement.ending, settlement.cost.audio), (Ending::Answered, LENGTH));
}

#[test]
fn the_usage_of_a_joined_answer_is_recorded_and_not_charged_again() {
    let (mut exchange, record, mut settlements) = exchange();
    let attempts = exchange.begin_pieces(&Model::unknown("m"));
    for length in [1000, 2000] {
        let log = attempts.begin_piece(AudioMs::new(length), 0);
        log.begin_attempt(target("p")).upload().set();
        log.piece_transcribed(usage(length + 100));
        log.finish();
    }
    assert_eq!(record.served(), Some(("p".to_owned(), 2)));
    exchange.finish_whole(usage(9000));
    let settlement = settlements.next().unwrap();
    let facts = (settlement.ending, settlement.cost.audio, settlement.info.pieces);
    assert_eq!(facts, (Ending::Answered, AudioMs::new(3200), Some(2)));
    assert_eq!((settlement.usage, record.facts().usage), (usage(3200).usage, usage(9000).usage));
}

#[test]
fn a_withdrawn_forwarding_leaves_no_trace_in_the_count_of_attempts() {
    let (mut exchange, record, mut settlements) = exchange();
    let entry = exchange.begin_forwarding(&Model::unknown("m")).begin_attempt(target("p"));
    entry.upload().set();
    exchange.withdraw();
    let log = exchange.begin_forwarding(&Model::unknown("n"));
    drop(log.begin_attempt(target("q")));
    log.finish();
    assert_eq!(record.served(), Some(("q".to_owned(), 1)));
    drop(exchange);
    assert_eq!(settlements.next().unwrap().ending, Ending::Refunded);
}

#[test]
fn a_refusal_is_in_the_record() {
    let (mut exchange, record, _settlements) = exchange();
    let refused = Refused {
        provider: "p".to_owned(),
        request_id: Some("theirs".to_owned()),
        status: StatusCode::BAD_REQUEST,
        headers: HeaderMap::new(),
        retry_after: None,
        kind: Some("invalid_request_error".to_owned()),
        code: Some("too_short".to_owned()),
        body: RefusedBody::Opaque,
    };
    exchange.provider_answered(&Err(UpstreamError::Refused(Box::new(refused)).into()));
    let facts = record.facts();
    assert_eq!((facts.provider_request_id.as_deref(), facts.provider_status), (Some("theirs"), Some(400)));
    let words = (facts.provider_error_type.as_deref(), facts.provider_error_code.as_deref());
    assert_eq!(words, (Some("invalid_request_error"), Some("too_short")));
}

#[test]
fn finished_pieces_cost_the_same_whether_they_are_added_up_early_or_at_the_end() {
    let (mut exchange, record, mut settlements) = exchange();
    let attempts = exchange.begin_pieces(&Model::unknown("m"));
    let mut sum = 0;
    for length in [1000, 2000, 3000] {
        let log = attempts.begin_piece(AudioMs::new(length), 0);
        log.begin_attempt(target("p")).upload().set();
        log.finish();
        log.piece_transcribed(usage(length));
        assert_eq!(exchange.cost_of_finished_pieces().audio, AudioMs::new(sum));
        drop(log);
        sum += length;
        assert_eq!(exchange.cost_of_finished_pieces().audio, AudioMs::new(sum));
        assert!(attempts.pieces().unwrap().is_empty());
    }
    assert_eq!(record.served(), Some(("p".to_owned(), 3)));
    exchange.completed();
    exchange.finish_stream();
    let settlement = settlements.next().unwrap();
    let facts = (settlement.ending, settlement.cost.audio, settlement.usage, settlement.info.pieces);
    assert_eq!(facts, (Ending::Answered, AudioMs::new(6000), usage(6000).usage, Some(3)));
}
