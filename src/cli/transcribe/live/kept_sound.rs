//! The sound that is kept: what waits for the gateway, and what the gateway has and whose words have not come.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::piece::{PIECE_BYTES, Piece};
use super::sound_format::SoundFormat;

/// The number of pieces of a container that are kept after the gateway has taken them, in case it asks for them again.
const KEPT_OF_CONTAINER: usize = 16;
/// A gateway rounds the length of a session to milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

/// The sound that is kept. Positions are bytes from the beginning of standard input.
pub(super) struct KeptSound {
    format: SoundFormat,
    /// The position at which the session begins.
    session: u64,
    /// The pieces of the session, in order. Those before `next` were taken.
    pieces: VecDeque<Bytes>,
    next: usize,
    /// The number of the first piece, and the position at which it begins.
    first_seq: u64,
    first: u64,
    /// The sound behind the pieces.
    waiting: BytesMut,
    /// The part of the first piece that was heard.
    heard: u64,
    is_begun: bool,
    has_come: bool,
}

impl KeptSound {
    pub(super) fn new(format: SoundFormat) -> Self {
        Self {
            format,
            session: 0,
            pieces: VecDeque::new(),
            next: 0,
            first_seq: 0,
            first: 0,
            waiting: BytesMut::new(),
            heard: 0,
            is_begun: false,
            has_come: false,
        }
    }

    /// Returns the number of bytes that are not in a piece.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.has_come |= !bytes.is_empty();
        self.waiting.extend_from_slice(bytes);
    }

    /// Returns the piece that is to be sent next, if one was cut.
    pub(super) fn next(&self) -> Option<Piece> {
        let bytes = self.pieces.get(self.next)?.clone();
        Some(Piece { seq: self.seq(self.next), bytes })
    }

    /// Cuts a piece of what waits; `None` if that is less than a sample.
    pub(super) fn cut(&mut self) -> Option<Piece> {
        let length = self.waiting.len().min(PIECE_BYTES);
        let length = length - length % self.format.frame();
        let piece = Bytes::copy_from_slice(self.waiting.get(..length).filter(|piece| !piece.is_empty())?);
        self.waiting.advance(length);
        self.pieces.push_back(piece);
        self.next()
    }

    /// Returns an empty piece that is to be sent next.
    pub(super) fn empty(&mut self) -> Piece {
        self.pieces.push_back(Bytes::new());
        Piece { seq: self.seq(self.next), bytes: Bytes::new() }
    }

    pub(super) fn taken(&mut self) {
        // An empty piece brings no sound.
        self.is_begun |= self.pieces.get(self.next).is_some_and(|piece| !piece.is_empty());
        self.next = (self.next + 1).min(self.pieces.len());
        let max = self.format.bytes_of(Duration::ZERO).map_or(KEPT_OF_CONTAINER, |_| usize::MAX);
        let mut kept = self.kept_bytes();
        // Sound whose words do not come for so long is silence.
        while self.next > max || (self.next > 1 && kept > self.format.max_waiting()) {
            kept -= self.forget_first();
        }
    }

    pub(super) fn leave_out(&mut self) {
        self.pieces.remove(self.next);
    }

    pub(super) fn go_on_with(&mut self, seq: u64) -> bool {
        let index = seq.checked_sub(self.first_seq).and_then(|index| usize::try_from(index).ok());
        match index.filter(|index| *index < self.pieces.len()) {
            Some(index) => {
                self.next = index;
                true
            }
            None => false,
        }
    }

    pub(super) fn heard(&mut self, until: Duration) {
        let Some(bytes) = self.format.bytes_of(until) else { return };
        let position = self.session.saturating_add(bytes);
        while self.next > 0 && self.first.saturating_add(self.first_length()) <= position {
            self.forget_first();
        }
        // Less than the first piece, if the gateway tells the truth.
        self.heard = position.saturating_sub(self.first).min(self.first_length()).max(self.heard);
    }

    pub(super) fn heard_all(&mut self, length: Option<Duration>) {
        while self.next > 0 {
            self.forget_first();
        }
        // The answer for the last piece may not have come.
        let length = length.and_then(|length| self.format.bytes_of(length.saturating_add(ROUNDING)));
        let end = self.first.saturating_add(self.first_length());
        if length.is_some_and(|length| self.session.saturating_add(length) >= end) && !self.pieces.is_empty() {
            self.forget_first();
        }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    pub(super) fn has_come(&self) -> bool {
        self.has_come
    }

    pub(super) fn begin_of_session(&self) -> Duration {
        self.format.time_of(self.session)
    }

    /// Takes all pieces back to what waits, but for what was heard.
    pub(super) fn begin_again(&mut self) {
        let mut unheard = BytesMut::new();
        for piece in self.pieces.drain(..) {
            unheard.extend_from_slice(&piece);
        }
        let frame = u64::try_from(self.format.frame()).unwrap_or(1);
        let heard = self.heard - self.heard % frame;
        unheard.advance(usize::try_from(heard).unwrap_or(0).min(unheard.len()));
        unheard.extend_from_slice(&self.waiting);
        self.waiting = unheard;
        self.session = self.first.saturating_add(heard);
        (self.first, self.first_seq, self.next) = (self.session, 0, 0);
        (self.heard, self.is_begun) = (0, false);
    }

    fn seq(&self, index: usize) -> u64 {
        self.first_seq.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }

    fn kept_bytes(&self) -> usize {
        self.pieces.iter().take(self.next).map(Bytes::len).sum()
    }

    fn first_length(&self) -> u64 {
        self.pieces.front().map_or(0, |piece| u64::try_from(piece.len()).unwrap_or(u64::MAX))
    }

    /// Forgets the first piece, and returns its length.
    fn forget_first(&mut self) -> usize {
        let Some(piece) = self.pieces.pop_front() else { return 0 };
        self.first = self.first.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        self.first_seq = self.first_seq.saturating_add(1);
        self.next = self.next.saturating_sub(1);
        self.heard = 0;
        piece.len()
    }
}
