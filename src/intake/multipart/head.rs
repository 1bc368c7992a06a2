//! The head of a part: its header lines, in any encoding (RFC 7578 §4, RFC 2046 §5.1).
//!
//! Clients write file names in Latin-1, state wrong lengths, and fold lines. None of that affects where a part ends. So
//! the gateway reads the head here, and gives the form's parser a plain head instead.

#[cfg(test)]
mod tests;

use super::params::{self, Param};

/// The maximum size of a part's head in bytes. A file name takes a few hundred.
pub(super) const MAX_HEAD_BYTES: usize = 8 * 1024;

/// The maximum number of lines in a head.
const MAX_HEAD_LINES: usize = 32;

/// The head of one part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartHead {
    /// The field's name. Bytes that are not UTF-8 are replaced, so the name becomes one that no field may have.
    pub(super) name: String,
    /// True if the part has a file name of any kind.
    pub(super) has_file_name: bool,
    /// The media type without its parameters, in lower case; empty if none is given.
    pub(super) media_type: String,
    /// The `charset` of the media type.
    pub(super) charset: Option<String>,
}

/// The reason why a head cannot be read. Each message completes "The multipart form cannot be read: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error("the headers of a part are malformed")]
    Malformed,
    #[error("a part has more than {MAX_HEAD_LINES} headers")]
    TooManyLines,
    #[error("a part gives its {0} twice")]
    Repeated(&'static str),
    #[error("a part has no Content-Disposition")]
    NoDisposition,
    #[error("the Content-Disposition of a part is not form-data")]
    NotFormData,
    #[error("the Content-Disposition of a part has no name")]
    NoName,
    #[error("a part is a multipart form itself")]
    Nested,
    #[error("a part has the Content-Transfer-Encoding '{0}', which forms do not have; send its bytes as they are")]
    Encoded(String),
}

impl PartHead {
    /// Reads a head, without the empty line that ends it.
    pub(super) fn read(head: &[u8]) -> Result<Self, HeadError> {
        let [mut disposition, mut content_type, mut encoding] = [None, None, None];
        for (name, value) in lines(head)? {
            let (slot, known) = match name.as_str() {
                "content-disposition" => (&mut disposition, "Content-Disposition"),
                "content-type" => (&mut content_type, "Content-Type"),
                "content-transfer-encoding" => (&mut encoding, "Content-Transfer-Encoding"),
                // A length is ignored too: a part ends only at its delimiter (RFC 7578 §4.8).
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(HeadError::Repeated(known));
            }
        }
        let mut head = Self::default();
        head.read_disposition(&disposition.ok_or(HeadError::NoDisposition)?)?;
        head.read_type(&content_type.unwrap_or_default())?;
        match encoding.as_deref().map(|value| String::from_utf8_lossy(value).trim().to_ascii_lowercase()).as_deref() {
            // These values mean that the content is not encoded (RFC 2045 §6.2).
            None | Some("" | "7bit" | "8bit" | "binary") => Ok(head),
            // RFC 7578 §4.7 deprecates the header. A client that still sends it has encoded the content.
            Some(other) => Err(HeadError::Encoded(other.chars().filter(char::is_ascii_graphic).take(40).collect())),
        }
    }

    fn read_disposition(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let (kind, params) = params::split(value).ok_or(HeadError::Malformed)?;
        if kind != "form-data" {
            return Err(HeadError::NotFormData);
        }
        let mut name = None;
        for Param { name: param, value, .. } in params {
            match param.as_str() {
                "name" if name.replace(value).is_some() => return Err(HeadError::Repeated("name")),
                "filename" | "filename*" => self.has_file_name = true,
                _ => {}
            }
        }
        self.name = String::from_utf8_lossy(&name.ok_or(HeadError::NoName)?).into_owned();
        if self.name.is_empty() { Err(HeadError::NoName) } else { Ok(()) }
    }

    fn read_type(&mut self, value: &[u8]) -> Result<(), HeadError> {
        // The type is the client's claim about a file, and nothing depends on its being right.
        let Some((media_type, params)) = params::split(value) else { return Ok(()) };
        if media_type.starts_with("multipart/") {
            return Err(HeadError::Nested);
        }
        self.media_type = media_type;
        let mut charsets = params.into_iter().filter(|param| param.name == "charset");
        self.charset = charsets.next().map(|param| String::from_utf8_lossy(&param.value).trim().to_owned());
        // Two charsets would give one text two readings.
        if charsets.next().is_some() { Err(HeadError::Repeated("charset")) } else { Ok(()) }
    }

    /// Returns the head for the form's parser: the field's name if it is valid there, and nothing else.
    pub(super) fn plain(&self) -> String {
        let plain = self.name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\%".contains(&byte));
        plain_head(if plain { &self.name } else { "_" })
    }
}

/// Returns a head for a part of this name.
pub(super) fn plain_head(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n")
}

/// Returns the header lines of a head, with names in lower case and folded lines joined (RFC 822 §3.1.1, which MIME
/// follows).
fn lines(head: &[u8]) -> Result<Vec<(String, Vec<u8>)>, HeadError> {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    if head.is_empty() {
        return Ok(lines);
    }
    for line in split_lines(head) {
        // A bare CR or LF ends a line for some readers and not for others.
        if line.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(HeadError::Malformed);
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let (_, value) = lines.last_mut().ok_or(HeadError::Malformed)?;
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        let at = memchr::memchr(b':', line).ok_or(HeadError::Malformed)?;
        let (name, value) = line.split_at(at);
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().copied().all(params::is_token) {
            return Err(HeadError::Malformed);
        }
        if lines.len() == MAX_HEAD_LINES {
            return Err(HeadError::TooManyLines);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii().to_vec();
        lines.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value));
    }
    Ok(lines)
}

fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let left = rest?;
        match memchr::memmem::find(left, b"\r\n") {
            None => rest.take(),
            Some(at) => {
                rest = left.get(at + 2..);
                left.get(..at)
            }
        }
    })
}
