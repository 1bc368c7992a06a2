//! The stretches of a recording that its transcript lacks.

use super::piece_state::CutPiece;
use crate::speech::Span;

/// Returns the stretches of the pieces that were not heard, and the `rest` of the recording behind them, if it was not
/// cut to its end. They are joined where one follows on the other. What is between two pieces is silence, which is not
/// missing.
pub(super) fn missing(cut: &[CutPiece], rest: Option<Span>) -> Vec<Span> {
    let missing_spans = cut.iter().filter(|piece| !piece.is_transcribed).map(|piece| piece.span).chain(rest);
    let mut missing: Vec<Span> = Vec::new();
    for span in missing_spans {
        match missing.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => missing.push(span),
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Samples;

    fn span(start: u64, end: u64) -> Span {
        Span { start: Samples::from_ms(start), end: Samples::from_ms(end) }
    }

    fn cut(pieces: &[(u64, u64, bool)]) -> Vec<CutPiece> {
        pieces.iter().map(|&(start, end, is_transcribed)| CutPiece { span: span(start, end), is_transcribed }).collect()
    }

    #[test]
    fn what_was_not_heard_is_missing_and_silence_is_not() {
        let pieces = cut(&[(0, 10, true), (10, 20, false), (20, 30, false), (50, 60, false), (60, 70, true)]);
        assert_eq!(missing(&pieces, None), [span(10, 30), span(50, 60)]);
        assert_eq!(missing(&pieces[..1], None), []);
    }

    #[test]
    fn a_recording_that_is_not_cut_to_its_end_lacks_the_rest() {
        let pieces = cut(&[(0, 10, true), (10, 20, false)]);
        assert_eq!(missing(&pieces, Some(span(20, 100))), [span(10, 100)]);
        assert_eq!(missing(&pieces, Some(span(50, 100))), [span(10, 20), span(50, 100)]);
        assert_eq!(missing(&[], Some(span(0, 100))), [span(0, 100)]);
    }
}
