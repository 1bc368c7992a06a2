//! Strict parsing of HTTP/1 request heads: refuses each head that two servers could read in two ways.
//!
//! actix is more lenient (it accepts a bare LF as a line end), and refuses with an empty answer. [`find_end`] and
//! [`parse`] check each head before actix sees it, so that every refusal states its reason.

mod fault;
mod fields;
mod grammar;
mod parse;
mod request_line;
#[cfg(test)]
mod tests;

pub use fault::HeadFault;
pub(super) use fields::BodyLength;
pub(super) use parse::{blank_lines, find_end, parse};
pub(in crate::transport) use request_line::host_of;
