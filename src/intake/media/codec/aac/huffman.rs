//! AAC's Huffman codes, as far as a reader that skips their values needs them (ISO/IEC 14496-3 §4.6.3 and annex 4.A).
//!
//! Sorted by length and then by value, the codewords of each book are consecutive numbers. So the number of codewords
//! of each length determines them all. Beyond that the reader needs only the bits that follow a codeword: a sign for
//! each value that is not zero, if the book itself has no signs, and escapes.

use std::sync::LazyLock;

use super::super::bits::Bits;

/// The maximum length of a codeword for the lookup table.
const SHORT_BITS: u32 = 10;

/// A book in its compact form.
struct Shape {
    /// The number of codewords of one bit, of two bits and so on.
    counts: &'static [u16],
    /// The bits after each codeword, in the codewords' order: the number of signs, plus five for each escape. Empty if
    /// nothing follows any codeword.
    extras: &'static [u8],
}

/// The books of spectral lines, 1 to 11 (tables 4.A.2 to 4.A.12).
const SPECTRUM: [Shape; 11] = [
    Shape { counts: &[1, 0, 0, 0, 8, 0, 24, 0, 24, 8, 16], extras: b"" },
    Shape { counts: &[0, 0, 1, 1, 7, 24, 15, 19, 14], extras: b"" },
    Shape {
        counts: &[1, 0, 0, 4, 2, 6, 3, 5, 15, 15, 8, 9, 3, 3, 5, 2],
        extras: b"011112222232343311223232331221224334323244332333223243344233333344442233434443233",
    },
    Shape {
        counts: &[0, 0, 0, 10, 6, 0, 9, 21, 8, 14, 11, 2],
        extras: b"433331202222121144443333333333332222222222221111444444333333333433344422222243333",
    },
    Shape { counts: &[1, 0, 0, 4, 4, 0, 4, 12, 12, 12, 18, 10, 4], extras: b"" },
    Shape { counts: &[0, 0, 0, 9, 0, 16, 13, 8, 23, 8, 4], extras: b"" },
    Shape {
        counts: &[1, 0, 2, 1, 0, 4, 5, 10, 14, 15, 8, 4],
        extras: b"0112221122211222222221122212122222222211222222222222112222222222",
    },
    Shape {
        counts: &[0, 0, 1, 5, 7, 10, 14, 15, 8, 4],
        extras: b"2212120112222222221122222222221212222222121222222222221212222112",
    },
    Shape {
        counts: &[1, 0, 2, 1, 0, 4, 3, 8, 11, 20, 31, 38, 32, 14, 4],
        extras: b"01122211222112222222211222222212122222222122222222122212222122221122222222222221222122222222222\
            22222222212212222222122222222222222212212222122222222222222222222222222222",
    },
    Shape {
        counts: &[0, 0, 0, 3, 8, 14, 17, 25, 31, 41, 22, 8],
        extras: b"22221122222112222022112222222222221212222222222221212222222222222222221222221222222222222222221\
            21222222212222221222222222222222221212122222222222222212122212221222222122",
    },
    Shape {
        counts: &[0, 0, 0, 2, 6, 7, 16, 59, 55, 95, 43, 6],
        extras: b"02<11222222121222222211222222222222222777772712172777722222772277722727772722772221772222127722\
            72722222227221222222122222222222222122222222222622222262122222222222222222222222222222212222222\
            22222222222122222222222222222222222222211222222222222222222222222221221212221222221122221221211\
            2112",
    },
];
/// The book of scale factors (table 4.A.1).
const SCALE: Shape = Shape { counts: &[1, 0, 1, 3, 2, 4, 3, 5, 4, 6, 6, 6, 5, 8, 4, 7, 3, 7, 46], extras: b"" };

/// The length of a codeword with its signs, and the number of escapes that follow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Word {
    bits: u8,
    escapes: u8,
}

/// The codewords at the start of the next [`SHORT_BITS`] bits.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The first codeword; zero bits if it is longer.
    first: Word,
    /// The number of complete codewords without escapes, with their signs; `bits` is the number of bits that they take.
    words: u8,
    bits: u8,
}

/// A book with its lookup table.
pub(super) struct Book {
    shape: &'static Shape,
    /// The entries by the next [`SHORT_BITS`] bits.
    entries: Vec<Entry>,
}

/// All books: those of the spectrum, indexed by their number minus one, and the book of the scale factors.
pub(super) struct Books {
    pub(super) spectrum: [Book; 11],
    pub(super) scale: Book,
}

pub(super) static BOOKS: LazyLock<Books> =
    LazyLock::new(|| Books { spectrum: SPECTRUM.each_ref().map(Book::new), scale: Book::new(&SCALE) });

impl Shape {
    /// Returns the codeword at the start of `next`, the coming 32 bits, if it is not longer than `max_length`.
    fn word(&self, next: u32, max_length: u32) -> Option<Word> {
        // `first` is the first codeword of each length, `index` the number of shorter codewords.
        let (mut first, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1_u8..).zip(self.counts) {
            if u32::from(length) > max_length {
                return None;
            }
            let code = next >> (32 - u32::from(length));
            let count = u32::from(count);
            if let Some(at) = code.checked_sub(first).filter(|at| *at < count) {
                let at = index + usize::try_from(at).ok()?;
                let extra = self.extras.get(at).map_or(0, |digit| digit - b'0');
                return Some(Word { bits: length + extra % 5, escapes: extra / 5 });
            }
            first = (first + count) << 1;
            index += usize::try_from(count).ok()?;
        }
        None
    }

    /// Returns the entry for `next`, of which only the first [`SHORT_BITS`] are known.
    fn entry(&self, next: u32) -> Entry {
        let first = self.word(next, SHORT_BITS).unwrap_or_default();
        let mut entry = Entry { first, ..Entry::default() };
        loop {
            let known = SHORT_BITS - u32::from(entry.bits);
            let rest = next.checked_shl(entry.bits.into()).unwrap_or_default();
            match self.word(rest, known) {
                Some(word) if word.escapes == 0 && u32::from(word.bits) <= known => {
                    entry.bits += word.bits;
                    entry.words += 1;
                }
                _ => return entry,
            }
        }
    }
}

impl Book {
    fn new(shape: &'static Shape) -> Self {
        let next = (0_u32..1 << SHORT_BITS).map(|next| next << (32 - SHORT_BITS));
        Self { shape, entries: next.map(|next| shape.entry(next)).collect() }
    }

    /// Skips `count` codewords with their signs and escapes.
    #[inline]
    pub(super) fn pass(&self, bits: &mut Bits<'_>, mut count: u16) -> Option<()> {
        while count > 0 {
            let next = bits.peek();
            let entry = self.entries.get(usize::try_from(next >> (32 - SHORT_BITS)).ok()?)?;
            let words = u16::from(entry.words);
            if words > 0 && words <= count {
                bits.skip(entry.bits.into())?;
                count -= words;
                continue;
            }
            let word = if entry.first.bits > 0 { entry.first } else { self.shape.word(next, u32::MAX)? };
            bits.skip(word.bits.into())?;
            for _ in 0..word.escapes {
                escape(bits)?;
            }
            count -= 1;
        }
        Some(())
    }
}

/// Skips an `escape_sequence`: a run of ones, one for each bit beyond four, then a zero and the bits.
fn escape(bits: &mut Bits<'_>) -> Option<()> {
    let ones = usize::try_from(bits.peek().leading_ones()).ok()?;
    if ones > 8 {
        return None;
    }
    bits.skip(ones + 1 + ones + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_book_is_a_complete_prefix_code() {
        let books = SPECTRUM.iter().zip([81, 81, 81, 81, 81, 81, 64, 64, 169, 169, 289]).chain([(&SCALE, 121)]);
        for (book, words) in books {
            let kraft: u32 = (1..).zip(book.counts).map(|(length, &count)| u32::from(count) << (20 - length)).sum();
            assert_eq!(kraft, 1 << 20);
            assert_eq!(book.counts.iter().sum::<u16>(), words);
            assert!(book.extras.is_empty() || book.extras.len() == usize::from(words));
        }
    }

    #[test]
    fn what_is_looked_up_is_what_is_searched() {
        for book in SPECTRUM.iter().chain([&SCALE]) {
            let ready = Book::new(book);
            let mut random = 1_u32;
            let mut byte = || {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                random.to_be_bytes()[0]
            };
            let bytes: Vec<u8> = (0..100_000).map(|_| byte()).collect();
            let (mut one, mut many) = (Bits::new(&bytes), Bits::new(&bytes));
            for count in (0..7).cycle().take(10_000) {
                let expected = (0..count).try_for_each(|_| {
                    let word = book.word(one.peek(), u32::MAX)?;
                    one.skip(word.bits.into())?;
                    (0..word.escapes).try_for_each(|_| escape(&mut one))
                });
                assert_eq!(ready.pass(&mut many, count), expected);
                if expected.is_none() {
                    // The escape is too long: the test continues with the next byte.
                    one.skip(8).unwrap();
                    many = one;
                }
                assert_eq!(many.position(), one.position());
            }
        }
    }

    #[test]
    fn signs_are_counted() {
        let count = |book: usize, extras: &[u8]| {
            SPECTRUM[book - 1].extras.iter().filter(|digit| extras.contains(&(**digit - b'0'))).count()
        };
        // Values: four of 0 to 2; two of 0 to 7; two of 0 to 12; two of 0 to 16, where 16 is an escape.
        assert_eq!((count(3, &[0]), count(3, &[4]), count(4, &[1])), (1, 16, 8));
        assert_eq!((count(7, &[0]), count(8, &[1]), count(8, &[2])), (1, 14, 49));
        assert_eq!((count(9, &[0]), count(10, &[1]), count(10, &[2])), (1, 24, 144));
        assert_eq!((count(11, &[0]), count(11, &[1, 6]), count(11, &[12]), count(11, &[7])), (1, 32, 1, 30));
    }
}
