//! Frames to stretches of voice.

use super::frame::{Frame, MIN_PAUSE, MIN_VOICE, start_of};
use crate::speech::samples::{Samples, Span};

/// The stretch of voice at the current position, found frame by frame.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// The number of frames seen.
    frames: u64,
    open: Option<Stretch>,
}

/// Voice that no pause has ended.
#[derive(Debug)]
struct Stretch {
    span: Span,
    /// The number of frames with voice.
    voiced: u64,
    /// The number of frames since the last with voice.
    quiet: u64,
}

impl Stretch {
    fn confirmed(&self) -> Option<Span> {
        (self.voiced >= MIN_VOICE).then_some(self.span)
    }
}

impl Activity {
    /// Takes the next frame. Returns the stretch that a pause has ended by it.
    pub(super) fn push(&mut self, frame: Frame) -> Option<Span> {
        let (start, end) = (start_of(self.frames), start_of(self.frames + 1));
        self.frames += 1;
        if frame.is_voice() {
            let stretch = self.open.get_or_insert(Stretch { span: Span { start, end }, voiced: 0, quiet: 0 });
            stretch.span.end = end;
            stretch.voiced += 1;
            stretch.quiet = 0;
            return None;
        }
        let stretch = self.open.as_mut()?;
        stretch.quiet += 1;
        if stretch.quiet < MIN_PAUSE { None } else { self.end() }
    }

    /// Ends the open stretch, and returns it if it was voice.
    pub(super) fn end(&mut self) -> Option<Span> {
        self.open.take()?.confirmed()
    }

    /// Returns the open stretch if it is known to be voice.
    pub(super) fn voice(&self) -> Option<Span> {
        self.open.as_ref()?.confirmed()
    }

    /// Returns the position from which voice may yet be found.
    pub(super) fn undecided_from(&self) -> Samples {
        self.open.as_ref().map_or(self.position(), |stretch| stretch.span.start)
    }

    /// Returns the position after the last frame.
    pub(super) fn position(&self) -> Samples {
        start_of(self.frames)
    }

    /// Lets the open stretch begin at `at`, where the recording was cut.
    pub(super) fn cut(&mut self, at: Samples) {
        if let Some(stretch) = &mut self.open {
            stretch.span.start = stretch.span.start.max(at);
        }
    }
}
