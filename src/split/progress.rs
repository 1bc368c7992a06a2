//! The progress of a recording in pieces, as a comment in the client's stream.

use serde_json::json;

use crate::domain::AudioMs;

/// The progress of a recording in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The number of pieces that were heard.
    pub(super) done: usize,
    /// The number of all pieces, once the recording is cut.
    pub(super) pieces: Option<usize>,
    /// The position up to which the transcript is complete.
    pub(super) audio: AudioMs,
    /// The length of the recording.
    pub(super) total: AudioMs,
}

impl Progress {
    /// Returns the comment, which clients ignore.
    pub(super) fn comment(self) -> String {
        let Self { done, pieces, audio, total } = self;
        let progress =
            json!({ "pieces_done": done, "pieces": pieces, "audio_ms": audio.get(), "total_ms": total.get() });
        format!(": voxgate {progress}\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_comment_that_scripts_can_read() {
        let progress = Progress { done: 3, pieces: Some(12), audio: AudioMs::new(900), total: AudioMs::new(3600) };
        let text = r#"{"pieces_done":3,"pieces":12,"audio_ms":900,"total_ms":3600}"#;
        assert_eq!(progress.comment(), format!(": voxgate {text}\n\n"));
        let unknown = Progress { pieces: None, ..progress };
        assert!(unknown.comment().contains("\"pieces\":null"));
    }
}
