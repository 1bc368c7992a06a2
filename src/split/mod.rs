//! A recording that no model takes whole: its pieces are sent one beside the other, and their transcripts joined.

pub mod join;
