//! The total length of the known speakers' samples, which arrive as `data:` URLs among the options.

use memchr::memchr;

use super::base64::Decoder;
use super::measuring::MeasuringPool;
use super::recording::{IntakeContext, NO_REFERENCES, Recording};
use super::{IntakeError, OptionError};
use crate::domain::Length;

const NAME: &str = "known_speaker_references";

/// Measures all samples and returns their total length. Refuses a sample that is not audio.
pub(super) async fn measure(
    table: &IntakeContext<'_>,
    measuring: &MeasuringPool,
    references: &[String],
) -> Result<Length, IntakeError> {
    let mut sum = NO_REFERENCES;
    for reference in references {
        let audio = decode(reference)?;
        let mut recording = Recording::new(table, u64::try_from(audio.len()).ok())?;
        recording.append(&audio).await?;
        let info = match measuring.measure(table.key, recording.finish().to_measure()).await {
            Err(IntakeError::Media(error)) => return Err(invalid(error.to_string()).into()),
            info => info?,
        };
        sum = sum.plus(info.length);
    }
    Ok(sum)
}

/// Decodes the audio in a `data:` URL (RFC 2397).
fn decode(reference: &str) -> Result<Vec<u8>, OptionError> {
    let url = reference.as_bytes();
    let head = memchr(b',', url).unwrap_or(url.len());
    let (head, text) = url.split_at_checked(head).unwrap_or((url, &[]));
    if !head.to_ascii_lowercase().ends_with(b";base64") {
        return Err(invalid("a URL that is not in base64".to_owned()));
    }
    let mut audio = Vec::new();
    let mut decoder = Decoder::new();
    let pushed = decoder.push(text.get(1..).unwrap_or_default(), &mut audio);
    pushed.and_then(|()| decoder.finish(&mut audio)).map_err(|fault| invalid(fault.to_string()))?;
    Ok(audio)
}

fn invalid(got: String) -> OptionError {
    const ALLOWED: &str = "Each is a data: URL of audio in base64, as in data:audio/wav;base64,UklGR…";
    OptionError::Invalid { name: NAME, got, allowed: ALLOWED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_gives_its_bytes_and_anything_else_is_named() {
        assert_eq!(decode("data:audio/wav;base64,UklGRg==").unwrap(), b"RIFF");
        assert_eq!(decode("data:audio/ogg;codecs=opus;BASE64,T2dn Uw==").unwrap(), b"OggS");
        for wrong in ["data:audio/wav,RIFF", "data:audio/wav;base64,%%%%", "data:audio/wav"] {
            let error = decode(wrong).unwrap_err();
            assert_eq!(error.name(), NAME, "{wrong}: {error}");
        }
    }
}
