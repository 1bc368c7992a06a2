//! How long the samples of known speakers are, which come as `data:` URLs among the options.

use std::io::{self, Cursor};

use memchr::memchr;

use super::base64::Decoder;
use super::media::{self, Length};
use super::{IntakeError, OptionError};
use crate::units::AudioMs;

const NAME: &str = "known_speaker_references";
const NONE: Length = Length::Measured(AudioMs::new(0));

/// Measures the samples, all together. One that is not audio is refused.
pub(super) async fn measure(references: &[String]) -> Result<Length, IntakeError> {
    if references.is_empty() {
        return Ok(NONE);
    }
    let references = references.to_vec();
    let measured = tokio::task::spawn_blocking(move || {
        references.iter().try_fold(NONE, |sum, reference| Ok(sum.plus(length(reference)?)))
    });
    let measured: Result<Length, OptionError> = measured.await.map_err(io::Error::other)?;
    Ok(measured?)
}

/// The length of the sample in a `data:` URL (RFC 2397).
fn length(reference: &str) -> Result<Length, OptionError> {
    let invalid = |got: String| OptionError::Invalid {
        name: NAME,
        got,
        allowed: "Each is a data: URL of audio in base64, as in data:audio/wav;base64,UklGR…",
    };
    let url = reference.as_bytes();
    let head = memchr(b',', url).unwrap_or(url.len());
    let (head, text) = url.split_at_checked(head).unwrap_or((url, &[]));
    if !head.to_ascii_lowercase().ends_with(b";base64") {
        return Err(invalid("a URL that is not in base64".to_owned()));
    }
    let mut audio = Vec::new();
    let mut decoder = Decoder::new();
    let decoded = decoder.push(text.get(1..).unwrap_or_default(), &mut audio);
    decoded.and_then(|()| decoder.finish(&mut audio)).map_err(|fault| invalid(fault.to_string()))?;
    let bytes = u64::try_from(audio.len()).unwrap_or(u64::MAX);
    let info = media::inspect(Cursor::new(audio), bytes).map_err(|error| invalid(error.to_string()))?;
    Ok(info.length)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn url(seconds: u32) -> String {
        let sound = vec![0; usize::try_from(seconds * 16_000).unwrap()];
        let size = u32::try_from(sound.len()).unwrap();
        let wav = [
            b"RIFF",
            &(36 + size).to_le_bytes()[..],
            b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data",
            &size.to_le_bytes(),
            &sound,
        ];
        format!("data:audio/wav;base64,{}", STANDARD.encode(wav.concat()))
    }

    #[tokio::test]
    async fn samples_count_one_after_the_other() {
        let ms = |length: Length| length.measured().unwrap().get();
        assert_eq!(ms(measure(&[]).await.unwrap()), 0);
        assert_eq!(ms(measure(&[url(2), url(5)]).await.unwrap()), 7_000);
    }

    #[tokio::test]
    async fn what_is_no_sample_is_named() {
        for wrong in ["data:audio/wav,RIFF", "data:audio/wav;base64,%%%%", "data:audio/wav;base64,", "data:;base64,dGV4dA=="]
        {
            let error = measure(&[wrong.to_owned()]).await.unwrap_err();
            assert!(matches!(&error, IntakeError::Option(error) if error.name() == NAME), "{wrong}: {error}");
        }
    }
}
