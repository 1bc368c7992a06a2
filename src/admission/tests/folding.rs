//! Pieces that are added up and forgotten while a request goes on: the settlement is the same as if all were kept.

use std::sync::Arc;

use proptest::prelude::*;

use super::pieces::{length, seconds, target, tokens};
use crate::admission::Permit;
use crate::admission::cost::CostOfPieces;
use crate::admission::testing::{Settlements, permit};
use crate::domain::NanoUsd;
use crate::ledger::{Charge, Report, Usage};
use crate::limits::Settlement;
use crate::models::{AttemptEntry, AttemptFailure, AttemptLog, AttemptTarget, PieceProgress, SentPiece, UploadFlag};

/// Something that happens to one of the pieces, or, for `Fold`, to the permit.
#[derive(Debug, Clone, Copy)]
enum Event {
    Begin {
        seconds: u64,
        text: u64,
    },
    Attempt {
        which: usize,
        model: usize,
        upload_is_elsewhere: bool,
    },
    Uploaded {
        which: usize,
    },
    Fails {
        which: usize,
        failure: AttemptFailure,
    },
    Reports {
        which: usize,
        report: Report,
    },
    Delivered {
        which: usize,
    },
    Transcribed {
        which: usize,
        report: Report,
    },
    Useless {
        which: usize,
    },
    Finishes {
        which: usize,
    },
    /// Nobody looks at the piece any more.
    Forgotten {
        which: usize,
    },
    UploadedElsewhere,
    Fold,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let which = any::<usize>;
    let failure = prop_oneof![
        Just(AttemptFailure::Provider),
        Just(AttemptFailure::ClientDeadline),
        Just(AttemptFailure::Recording),
    ];
    let report = prop_oneof![
        Just(Report::default()),
        (0..90_u64).prop_map(|of| length(seconds(of))),
        (0..2000_u64, 0..2000_u64).prop_map(|(input, output)| tokens(input, output)),
    ];
    let event = prop_oneof![
        4 => (1..40_u64, 0..100_u64).prop_map(|(seconds, text)| Event::Begin { seconds, text }),
        5 => (which(), 0..2_usize, prop::bool::weighted(0.2)).prop_map(|(which, model, upload_is_elsewhere)| {
            Event::Attempt { which, model, upload_is_elsewhere }
        }),
        4 => which().prop_map(|which| Event::Uploaded { which }),
        2 => (which(), failure).prop_map(|(which, failure)| Event::Fails { which, failure }),
        2 => (which(), report.clone()).prop_map(|(which, report)| Event::Reports { which, report }),
        1 => which().prop_map(|which| Event::Delivered { which }),
        4 => (which(), report).prop_map(|(which, report)| Event::Transcribed { which, report }),
        1 => which().prop_map(|which| Event::Useless { which }),
        4 => which().prop_map(|which| Event::Finishes { which }),
        4 => which().prop_map(|which| Event::Forgotten { which }),
        1 => Just(Event::UploadedElsewhere),
        4 => Just(Event::Fold),
    ];
    prop::collection::vec(event, 1..60)
}

/// A piece that somebody still looks at.
struct Piece {
    log: AttemptLog,
    entry: Option<AttemptEntry>,
}

/// A permit and its pieces.
struct Request {
    permit: Permit,
    settlements: Settlements,
    pieces: Vec<Piece>,
    elsewhere: Vec<UploadFlag>,
    folds: bool,
    folded: Charge,
}

impl Request {
    fn new(folds: bool) -> Self {
        let (permit, settlements) = permit("m", seconds(100));
        permit.attempts().divide();
        Self { permit, settlements, pieces: Vec::new(), elsewhere: Vec::new(), folds, folded: Charge::NONE }
    }

    fn take(&mut self, event: Event) {
        let count = self.pieces.len().max(1);
        let mut with = |which: usize, change: &mut dyn FnMut(&mut Piece)| {
            self.pieces.get_mut(which % count).into_iter().for_each(change);
        };
        match event {
            Event::Begin { seconds: of, text } => {
                let log = self.permit.attempts().begin_piece(seconds(of), text);
                self.pieces.push(Piece { log, entry: None });
            }
            Event::Attempt { which, model, upload_is_elsewhere } => {
                let elsewhere = &mut self.elsewhere;
                with(which, &mut |piece| {
                    let entry = piece.log.begin_attempt(target(["tokens", "minutes"][model]));
                    elsewhere.extend(upload_is_elsewhere.then(|| entry.upload()));
                    piece.entry = Some(entry);
                });
            }
            Event::Uploaded { which } => {
                with(which, &mut |piece| piece.entry.iter().for_each(|entry| entry.upload().set()));
            }
            Event::Fails { which, failure } => {
                with(which, &mut |piece| piece.entry.take().into_iter().for_each(|entry| entry.fail(failure)));
            }
            Event::Reports { which, report } => with(which, &mut |piece| piece.log.piece_usage(report)),
            Event::Delivered { which } => with(which, &mut |piece| piece.log.piece_delivered()),
            Event::Transcribed { which, report } => with(which, &mut |piece| piece.log.piece_transcribed(report)),
            Event::Useless { which } => with(which, &mut |piece| piece.log.piece_failed()),
            Event::Finishes { which } => with(which, &mut |piece| piece.log.finish()),
            Event::Forgotten { which } if !self.pieces.is_empty() => drop(self.pieces.swap_remove(which % count)),
            Event::UploadedElsewhere => self.elsewhere.pop().iter().for_each(UploadFlag::set),
            Event::Fold if self.folds => {
                let folded = self.permit.fold_finished_pieces();
                assert!(folded.usd >= self.folded.usd && folded.audio >= self.folded.audio);
                self.folded = folded;
            }
            Event::Forgotten { .. } | Event::Fold => {}
        }
    }

    /// Returns what is known of the attempts so far.
    fn facts(&self) -> (u32, Option<String>, bool, bool, bool) {
        let attempts = self.permit.attempts();
        let provider = attempts.last_target().map(|target| target.provider);
        (attempts.count(), provider, attempts.are_over(), attempts.have_recording(), attempts.abandoned_by_client())
    }

    /// Ends the request, answered or failed or left, and returns its settlement.
    fn settle(mut self, is_answered: Option<bool>) -> (Settlement, Charge) {
        match is_answered {
            Some(true) => self.permit.answered(),
            Some(false) => self.permit.failed(),
            None => {}
        }
        drop(self.permit);
        let settlement = self.settlements.next().unwrap();
        (Settlement { id: "0".repeat(32).parse().unwrap(), ..settlement }, self.folded)
    }
}

proptest! {
    #[test]
    fn a_request_settles_as_if_no_piece_were_folded(events in events(), is_answered in any::<Option<bool>>()) {
        let (mut folding, mut keeping) = (Request::new(true), Request::new(false));
        for event in events {
            folding.take(event);
            keeping.take(event);
            prop_assert_eq!(folding.facts(), keeping.facts(), "{:?}", event);
        }
        let ((folding, folded), (keeping, _)) = (folding.settle(is_answered), keeping.settle(is_answered));
        prop_assert!(folded.usd <= folding.cost.usd && folded.audio <= folding.cost.audio);
        prop_assert_eq!(folding, keeping);
    }
}

#[test]
fn the_cost_of_pieces_is_the_same_in_any_parts() {
    let piece = |model: &str, report, progress| {
        let AttemptTarget { model, provider, key } = target(model);
        let target = AttemptTarget { model: Arc::clone(&model), provider, key };
        SentPiece { length: seconds(10), text: 0, target, report, progress }
    };
    let heard = PieceProgress::Transcribed;
    let pieces = [
        piece("tokens", tokens(14, 45), heard),
        piece("minutes", length(seconds(11)), heard),
        piece("tokens", tokens(14, 45), heard),
        piece("minutes", Report::default(), PieceProgress::NotHeld),
        piece("minutes", Report::default(), PieceProgress::Held),
    ];
    let mut sum = CostOfPieces::default();
    assert_eq!((sum.charge(), sum.usage()), (Charge::NONE, None));
    sum.add(pieces[..1].to_vec());
    assert_eq!(sum.usage(), Some(Usage::Tokens { input: 14, output: 45 }));
    sum.add(Vec::new());
    sum.add(pieces[1..].to_vec());
    let by_provider: Vec<_> = sum.by_provider.iter().map(|(name, usd)| (name.as_str(), usd.get())).collect();
    assert_eq!(by_provider, [("minutes-provider", 21 * 75_000), ("tokens-provider", 2 * 485_000)]);
    assert_eq!((sum.count, sum.usage()), (5, Some(Usage::Length(seconds(41)))));
    assert_eq!(sum.charge(), Charge { usd: NanoUsd::new(21 * 75_000 + 2 * 485_000), audio: seconds(41) });
}
