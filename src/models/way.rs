//! The way of a recording to a model.

/// The way of a recording to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The recording goes as it is, byte for byte.
    AsIs,
    /// The recording is encoded anew, in one piece.
    Convert(Reason),
    /// The recording is split, and each piece encoded.
    Split(Reason),
}

/// The reason why a recording cannot go as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has more bytes than the model takes.
    TooLarge,
    /// Its file format is not one that the model takes.
    FileFormat,
    /// It is longer than the model takes.
    TooLong,
    /// The answer needs times, which the model does not give: they are those of the pieces.
    Timestamps,
}

impl Way {
    /// Returns true if the answer's times are those of the pieces.
    pub const fn times_by_pieces(self) -> bool {
        matches!(self, Self::Split(Reason::Timestamps))
    }
}
