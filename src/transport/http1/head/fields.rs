//! The header fields that concern the body and the host.

use std::str::from_utf8;

use super::fault::HeadFault;
use super::grammar::field_of;

/// The way to find the end of a body (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport::http1) enum BodyLength {
    /// The length in bytes; 0 if there is no body.
    Known(u64),
    /// The last chunk ends the body.
    Chunked,
}

/// The header fields that concern the body and the host.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Occurrence<'a>,
    length: Occurrence<'a>,
    coding: Occurrence<'a>,
    pub(super) has_upgrade: bool,
}

/// The occurrences of a field in a head.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Occurrence<'a> {
    #[default]
    Never,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Fields<'a> {
    /// Adds a header line.
    pub(super) fn add(&mut self, line: &'a [u8]) -> Result<(), HeadFault> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(HeadFault::Folded);
        }
        let (name, value) = field_of(line).ok_or(HeadFault::FieldName)?;
        let field = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut self.host,
            14 if name.eq_ignore_ascii_case(b"content-length") => &mut self.length,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => &mut self.coding,
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.has_upgrade = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        *field = match field {
            Occurrence::Never => Occurrence::Once(value),
            _ => Occurrence::Repeated,
        };
        Ok(())
    }

    /// Returns the length of the body (RFC 9112 §6.3).
    pub(super) fn body_length(&self, is_http10: bool, is_post: bool) -> Result<BodyLength, HeadFault> {
        let length = match self.length {
            Occurrence::Never => None,
            Occurrence::Once(digits) => Some(whole_number(digits).ok_or(HeadFault::ContentLength)?),
            Occurrence::Repeated => return Err(HeadFault::ContentLength),
        };
        match (self.coding, length) {
            (Occurrence::Never, Some(length)) => Ok(BodyLength::Known(length)),
            (Occurrence::Never, None) if is_http10 && is_post => Err(HeadFault::LengthMissing),
            (Occurrence::Never, None) => Ok(BodyLength::Known(0)),
            _ if is_http10 => Err(HeadFault::ChunkedHttp10),
            (_, Some(_)) => Err(HeadFault::TwoLengths),
            (Occurrence::Once(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
            _ => Err(HeadFault::TransferEncoding),
        }
    }
}

fn whole_number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then_some(())?;
    from_utf8(digits).ok()?.parse().ok()
}
