//! The progress of a recording that the gateway transcribes in pieces, from the comments of its stream.

use serde::Deserialize;

use crate::domain::sse::Event;

/// The beginning of such a comment.
const MARK: &[u8] = b": voxgate ";

/// The progress of a recording in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct PieceCount {
    /// The number of pieces that were heard.
    #[serde(rename = "pieces_done")]
    pub(super) done: u64,
    /// The number of all pieces, once it is known.
    #[serde(rename = "pieces")]
    pub(super) all: Option<u64>,
    /// The length of the recording in milliseconds.
    pub(super) total_ms: u64,
}

impl PieceCount {
    /// Returns true if this shows a person more than `shown` did.
    pub(super) fn is_news_after(self, shown: Self) -> bool {
        self.done > shown.done || (self.done == shown.done && shown.all.is_none() && self.all.is_some())
    }

    /// Reads the progress that an event states, if it does.
    pub(super) fn read(event: &Event) -> Option<Self> {
        let lines = event.raw().split(|byte| matches!(byte, b'\r' | b'\n'));
        lines.filter_map(|line| serde_json::from_slice(line.strip_prefix(MARK)?).ok()).next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_more_pieces_are_news() {
        let count = |done, all| PieceCount { done, all, total_ms: 0 };
        assert!(count(3, Some(4)).is_news_after(count(2, Some(4))));
        assert!(count(2, Some(4)).is_news_after(count(2, None)));
        assert!(!count(2, Some(5)).is_news_after(count(2, Some(4))));
        assert!(!count(1, Some(4)).is_news_after(count(2, Some(4))));
    }
}
