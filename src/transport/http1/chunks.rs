//! Strict reader of the chunks of an HTTP/1.1 request body (RFC 9112 §7.1).
//!
//! The watchdog gives actix the data in new chunks, one for each read, so a body in one-byte chunks costs about as much as
//! one in large chunks.

/// The maximum length of the line with a chunk's size, including extensions, which are ignored.
const MAX_SIZE_LINE_BYTES: usize = 256;

/// The maximum length of the trailers of a body, which are ignored, too.
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// The maximum number of digits of a size: no body has more than 2^60 bytes.
const MAX_SIZE_DIGITS: usize = 15;

/// The error of a byte that breaks the chunked grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken;

/// The result of extracting the body from a part of its chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extracted {
    /// The number of bytes of the body, which are now in front.
    pub(super) body: usize,
    /// The number of bytes parsed, framing included. More follow them only after the end of the body.
    pub(super) used: usize,
    /// True if the last byte parsed breaks the grammar.
    pub(super) is_broken: bool,
}

/// A parser that extracts a body from its chunks; input may be split anywhere.
#[derive(Debug, Default)]
pub(super) struct ChunkReader {
    state: State,
    /// The size being parsed, then the rest of the chunk.
    left: u64,
    /// The number of bytes so far in the current size line or trailers.
    framing: usize,
}

/// The meaning of the next byte.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    FirstDigit,
    Digit,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// The first byte of a line after the last chunk: the end, or a trailer.
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    EndLineFeed,
    End,
}

impl ChunkReader {
    /// Returns true if the last byte of the last chunk has arrived.
    pub(super) fn is_at_end(&self) -> bool {
        self.state == State::End
    }

    /// Parses `bytes` until they are used up or the body ends, and moves the body to their front.
    pub(super) fn extract(&mut self, bytes: &mut [u8]) -> Extracted {
        let (mut used, mut body) = (0, 0);
        while self.state != State::End {
            if self.state == State::Data {
                let here = bytes.len().saturating_sub(used);
                let count = usize::try_from(self.left).map_or(here, |left| left.min(here));
                if count == 0 {
                    break;
                }
                if used != body {
                    bytes.copy_within(used..used + count, body);
                }
                (used, body) = (used + count, body + count);
                self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                if self.left == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            let Some(byte) = bytes.get(used) else { break };
            used += 1;
            if self.step(*byte).is_err() {
                return Extracted { body, used, is_broken: true };
            }
        }
        Extracted { body, used, is_broken: false }
    }

    /// Handles a byte of the framing.
    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        let bound = match self.state {
            State::TrailerStart | State::Trailer | State::TrailerLineFeed => MAX_TRAILER_BYTES,
            _ => MAX_SIZE_LINE_BYTES,
        };
        self.framing += 1;
        if self.framing > bound {
            return Err(Broken);
        }
        let next = match (self.state, byte) {
            (State::FirstDigit | State::Digit, _) if byte.is_ascii_hexdigit() && self.framing <= MAX_SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Broken)?;
                self.left = self.left * 16 + u64::from(digit);
                State::Digit
            }
            (State::Digit | State::Extension, b'\r') => State::SizeLineFeed,
            (State::Digit, b';' | b' ' | b'\t') | (State::Extension, b'\t' | 0x20..=0x7e | 0x80..) => State::Extension,
            (State::SizeLineFeed, b'\n') => {
                self.framing = 0;
                if self.left == 0 { State::TrailerStart } else { State::Data }
            }
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => {
                self.framing = 0;
                State::FirstDigit
            }
            (State::TrailerStart, b'\r') => State::EndLineFeed,
            (State::Trailer, b'\r') => State::TrailerLineFeed,
            (State::TrailerStart, 0x21..=0x7e) | (State::Trailer, b'\t' | 0x20..=0x7e | 0x80..) => State::Trailer,
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::EndLineFeed, b'\n') => State::End,
            _ => return Err(Broken),
        };
        self.state = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses input in pieces of the given size. Returns the body, the bytes after it, and whether its end was reached.
    fn read(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Broken> {
        let (mut reader, mut body, mut left) = (ChunkReader::default(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let extracted = reader.extract(&mut piece);
            body.extend_from_slice(&piece[..extracted.body]);
            left += piece.len() - extracted.used;
            if extracted.is_broken {
                return Err(Broken);
            }
        }
        Ok((body, left, reader.is_at_end()))
    }

    #[test]
    fn what_is_no_chunk_is_refused_in_any_pieces() {
        for body in [
            "\n0\r\n\r\n",
            "\r\n5\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            ";a\r\nhello\r\n0\r\n\r\n",
            "-1\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloworld\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\n\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5;a\0\r\nhello\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n",
            "1000000000000000\r\n",
            "0\r\nX-A: b\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nX-A: b\rc\r\n\r\n",
        ] {
            for piece in 1..=body.len() {
                assert_eq!(read(body.as_bytes(), piece), Err(Broken), "{body:?} in pieces of {piece}");
            }
        }
        assert_eq!(read(format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(300)).as_bytes(), 7), Err(Broken));
        assert_eq!(read(format!("0\r\n{}\r\n", "x-a: b\r\n".repeat(2000)).as_bytes(), 7), Err(Broken));
    }

    #[test]
    fn extensions_and_trailers_are_passed_over() {
        let body = "5;name=\"a b\"\r\nhello\r\n000A \t\r\n0123456789\r\n0;last\r\nX-Sum: abc\r\nx-b:\r\n\r\nGET /";
        for piece in 1..=body.len() {
            assert_eq!(read(body.as_bytes(), piece), Ok((b"hello0123456789".to_vec(), 5, true)), "pieces of {piece}");
        }
    }

    proptest! {
        #[test]
        fn any_body_in_any_chunks_and_pieces_is_itself(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
            behind in prop::collection::vec(any::<u8>(), 0..20),
            piece in 1..50_usize,
        ) {
            let framed = chunks.iter().flat_map(|data| [format!("{:X}\r\n", data.len()).into_bytes(), data.clone(), b"\r\n".to_vec()]);
            let bytes = framed.chain([b"0\r\n\r\n".to_vec(), behind.clone()]).flatten().collect::<Vec<_>>();
            prop_assert_eq!(read(&bytes, piece), Ok((chunks.concat(), behind.len(), true)));
        }

        #[test]
        fn whatever_comes_is_read_the_same_in_any_pieces(
            bytes in prop::collection::vec(prop::sample::select(b"05aF;\r\n\r\n x:\0".to_vec()), 0..60),
            piece in 1..20_usize,
        ) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len().max(1)));
        }
    }
}
