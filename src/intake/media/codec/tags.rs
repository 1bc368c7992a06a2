//! The containers' codes for codecs.
//!
//! An unknown code is an error with the code in the form that the client of a refused file sees.

use super::table::{self, Codec};

/// Returns the codec for the tag of a `WAVEFORMATEX` (RFC 2361, and tags that Microsoft and others registered since)
/// with `bits` for each sample. The tag of an extensible format is the first two bytes of its subformat.
pub(in super::super) fn from_wave_tag(tag: u16, bits: u16) -> Result<Codec, String> {
    let unknown = || format!("WAVE format 0x{tag:04x} of {bits} bits");
    Ok(match tag {
        0x0001 => match bits {
            1..=8 => table::PCM_U8,
            9..=16 => table::PCM_S16LE,
            17..=24 => table::PCM_S24LE,
            25..=32 => table::PCM_S32LE,
            57..=64 => table::PCM_S64LE,
            _ => return Err(unknown()),
        },
        0x0003 => match bits {
            32 => table::PCM_F32LE,
            64 => table::PCM_F64LE,
            _ => return Err(unknown()),
        },
        0x0002 => table::ADPCM_MS,
        0x0006 => table::PCM_ALAW,
        0x0007 | 0x6c75 => table::PCM_MULAW,
        0x000a => table::WMAVOICE,
        0x0010 | 0x0017 => table::ADPCM_IMA_OKI,
        0x0011 | 0x0069 if bits == 8 => table::ADPCM_ZORK,
        0x0011 | 0x0069 => table::ADPCM_IMA_WAV,
        0x0014 | 0x0040 | 0x0045 | 0x0064 => table::ADPCM_G726,
        0x0020 => table::ADPCM_YAMAHA,
        0x0022 | 0x1501 => table::TRUESPEECH,
        0x0031 | 0x0032 | 0x1500 => table::GSM_MS,
        0x0038 | 0x0057 => table::AMR_NB,
        0x0042 | 0x0111 | 0xa100 => table::G723_1,
        0x0050 => table::MP2,
        0x0055 => table::MP3,
        0x0058 => table::AMR_WB,
        0x0061 => table::ADPCM_IMA_DK4,
        0x0062 => table::ADPCM_IMA_DK3,
        0x0065 | 0x028f => table::ADPCM_G722,
        0x0075 => table::METASOUND,
        0x0083 => table::G729,
        0x00ff | 0x1600 | 0x4143 | 0x706d | 0xa106 => table::AAC,
        0x0130 => table::SIPR,
        0x0135 => table::ACELP_KELVIN,
        0x0160 => table::WMAV1,
        0x0161 => table::WMAV2,
        0x0162 => table::WMAPRO,
        0x0163 => table::WMALOSSLESS,
        0x0165 => table::XMA1,
        0x0166 => table::XMA2,
        0x0200 => table::ADPCM_CT,
        0x0215 | 0x0216 => table::DVAUDIO,
        0x0270 => table::ATRAC3,
        0x0401 => table::IMC,
        0x0402 => table::IAC,
        0x0500 | 0x0501 => table::AVC,
        0x1602 => table::AAC_LATM,
        0x2000 => table::AC3,
        0x2001 => table::DTS,
        0x2048 => table::SONIC,
        0x5346 => table::ADPCM_SWF,
        0x566f => table::VORBIS,
        0x594a => table::XAN_DPCM,
        0x704f => table::OPUS,
        0x729a => table::ADPCM_AICA,
        0xa109 => table::SPEEX,
        0xf1ac => table::FLAC,
        _ => return Err(unknown()),
    })
}

/// Returns the codec for the code of a sample description in MP4 or `QuickTime` (mp4ra.org; Apple's `QuickTime` File
/// Format, "Sound Sample Descriptions") with `bits` for each sample, or 0. `mp4a` is AAC unless its `esds` says
/// otherwise, and `lpcm` is for [`from_lpcm`] if its flags are known.
pub(in super::super) fn from_fourcc(code: [u8; 4], bits: u16) -> Result<Codec, String> {
    if let Some(codec) = fourcc(code, bits) {
        return Ok(codec);
    }
    // Players ignore the case of letters.
    let ([b'm', b's', high, low] | [b'T', b'S', high, low]) = code else {
        return Err(code.escape_ascii().to_string());
    };
    from_wave_tag(u16::from_be_bytes([high, low]), bits)
}

fn fourcc(code: [u8; 4], bits: u16) -> Option<Codec> {
    Some(match &code.map(|letter| letter.to_ascii_lowercase()) {
        b"mp4a" => table::AAC,
        b"opus" => table::OPUS,
        b"flac" => table::FLAC,
        b"alac" => table::ALAC,
        b"ac-3" | b"sac3" => table::AC3,
        b"ec-3" => table::EAC3,
        b"ac-4" => table::AC4,
        b"dtsc" | b"dtsh" | b"dtsl" | b"dts " => table::DTS,
        b"dtse" => table::DTS_EXPRESS,
        b".mp1" => table::MP1,
        b".mp2" => table::MP2,
        b".mp3" => table::MP3,
        b"twos" => match bits {
            8 => table::PCM_S8,
            24 => table::PCM_S24BE,
            32 => table::PCM_S32BE,
            _ => table::PCM_S16BE,
        },
        b"sowt" => match bits {
            8 => table::PCM_S8,
            24 => table::PCM_S24LE,
            32 => table::PCM_S32LE,
            _ => table::PCM_S16LE,
        },
        b"raw " | b"none" if bits == 16 => table::PCM_S16BE,
        b"raw " | b"none" => table::PCM_U8,
        b"lpcm" => from_lpcm(bits, 2).ok()?,
        b"in24" => table::PCM_S24BE,
        b"in32" => table::PCM_S32BE,
        b"fl32" => table::PCM_F32BE,
        b"fl64" => table::PCM_F64BE,
        b"alaw" => table::PCM_ALAW,
        b"ulaw" => table::PCM_MULAW,
        b"ima4" => table::ADPCM_IMA_QT,
        b"mac3" => table::MACE3,
        b"mac6" => table::MACE6,
        b"agsm" => table::GSM,
        b"samr" => table::AMR_NB,
        b"sawb" => table::AMR_WB,
        b"spex" | b"spxn" => table::SPEEX,
        b"qdm2" => table::QDM2,
        b"qdmc" => table::QDMC,
        b"qclp" | b"qclq" | b"sqcp" => table::QCELP,
        b"sevc" => table::EVRC,
        b"ssmv" => table::SMV,
        b"ilbc" => table::ILBC,
        b"nmos" | b"ne16" => table::NELLYMOSER,
        b"mlpa" => table::TRUEHD,
        b"mha1" | b"mhm1" => table::MPEGH_3D_AUDIO,
        b"vdva" | b"dvca" => table::DVAUDIO,
        b"wma2" => table::WMAV2,
        _ => return None,
    })
}

/// Returns the codec for the flags of a `QuickTime` sound description of version 2: 1 for floats, 2 for big-endian, 4
/// for signed.
pub(in super::super) fn from_lpcm(bits: u16, flags: u32) -> Result<Codec, String> {
    let (float, big) = (flags & 1 != 0, flags & 2 != 0);
    Ok(match (bits, float, big) {
        (32, true, false) => table::PCM_F32LE,
        (32, true, true) => table::PCM_F32BE,
        (64, true, false) => table::PCM_F64LE,
        (64, true, true) => table::PCM_F64BE,
        (1..=8, false, _) if flags & 4 == 0 => table::PCM_U8,
        (1..=8, false, _) => table::PCM_S8,
        (0 | 9..=16, false, false) => table::PCM_S16LE,
        (0 | 9..=16, false, true) => table::PCM_S16BE,
        (17..=24, false, false) => table::PCM_S24LE,
        (17..=24, false, true) => table::PCM_S24BE,
        (25..=32, false, false) => table::PCM_S32LE,
        (25..=32, false, true) => table::PCM_S32BE,
        (57..=64, false, _) => table::PCM_S64LE,
        _ => return Err(format!("lpcm of {bits} bits")),
    })
}

/// Returns the codec for the object type of an `esds` (ISO/IEC 14496-1 table 5, and mp4ra.org).
pub(in super::super) fn from_object_type(object_type: u8) -> Result<Codec, String> {
    Ok(match object_type {
        0x40 | 0x66..=0x68 => table::AAC,
        0x69 | 0x6b => table::MP3,
        0xa5 => table::AC3,
        0xa6 => table::EAC3,
        0xa9..=0xac => table::DTS,
        0xad => table::OPUS,
        0xae => table::AC4,
        0xc1 => table::FLAC,
        0xd1 => table::EVRC,
        0xdd => table::VORBIS,
        0xe1 => table::QCELP,
        _ => return Err(format!("MPEG-4 object type 0x{object_type:02x}")),
    })
}

/// Returns the codec for a Matroska codec id (<https://www.matroska.org/technical/codec_specs.html>) with `bits` for
/// each sample, or 0. `A_MS/ACM` is for [`from_wave_tag`], `A_QUICKTIME` for [`from_fourcc`]: the track's private data
/// names the wrapped codec. An id that extends a known id, as `A_AAC/MPEG4/LC` does, is the known codec.
pub(in super::super) fn from_matroska(id: &str, bits: u16) -> Result<Codec, String> {
    const IDS: &[(&str, Codec)] = &[
        ("A_AAC", table::AAC),
        ("A_AC3", table::AC3),
        ("A_ALAC", table::ALAC),
        ("A_ATRAC/AT1", table::ATRAC1),
        ("A_DTS/EXPRESS", table::DTS_EXPRESS),
        ("A_DTS", table::DTS),
        ("A_EAC3", table::EAC3),
        ("A_FLAC", table::FLAC),
        ("A_MLP", table::MLP),
        ("A_MPEG/L1", table::MP1),
        ("A_MPEG/L2", table::MP2),
        ("A_MPEG/L3", table::MP3),
        ("A_OPUS", table::OPUS),
        ("A_QUICKTIME/QDMC", table::QDMC),
        ("A_QUICKTIME/QDM2", table::QDM2),
        ("A_REAL/14_4", table::RA_144),
        ("A_REAL/28_8", table::RA_288),
        ("A_REAL/ATRC", table::ATRAC3),
        ("A_REAL/COOK", table::COOK),
        ("A_REAL/SIPR", table::SIPR),
        ("A_TRUEHD", table::TRUEHD),
        ("A_TTA1", table::TTA),
        ("A_VORBIS", table::VORBIS),
        ("A_WAVPACK4", table::WAVPACK),
    ];
    let pcm = |be: [Codec; 3], small| match bits {
        8 => small,
        24 => be[1],
        32 => be[2],
        _ => be[0],
    };
    if id.starts_with("A_PCM/INT/BIG") {
        return Ok(pcm([table::PCM_S16BE, table::PCM_S24BE, table::PCM_S32BE], table::PCM_U8));
    }
    if id.starts_with("A_PCM/INT/LIT") {
        return Ok(pcm([table::PCM_S16LE, table::PCM_S24LE, table::PCM_S32LE], table::PCM_U8));
    }
    if id.starts_with("A_PCM/FLOAT/IEEE") {
        return Ok(if bits == 64 { table::PCM_F64LE } else { table::PCM_F32LE });
    }
    let known = IDS.iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, codec)| *codec);
    known.ok_or_else(|| id.escape_debug().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(codec: Result<Codec, String>) -> String {
        codec.map_or_else(|code| code, |codec| codec.name().to_owned())
    }

    #[test]
    fn codes_lead_to_names() {
        for (tag, bits, expected) in [
            (1, 8, "pcm_u8"),
            (1, 12, "pcm_s16le"),
            (1, 24, "pcm_s24le"),
            (1, 40, "WAVE format 0x0001 of 40 bits"),
            (3, 64, "pcm_f64le"),
            (0x55, 0, "mp3"),
            (0x11, 2, "adpcm_ima_wav"),
            (0x161, 16, "wmav2"),
            (0x9999, 16, "WAVE format 0x9999 of 16 bits"),
        ] {
            assert_eq!(name(from_wave_tag(tag, bits)), expected);
        }
        for (code, bits, expected) in [
            (b"mp4a", 16, "aac"),
            (b"OPUS", 16, "opus"),
            (b"sowt", 8, "pcm_s8"),
            (b"twos", 0, "pcm_s16be"),
            (b"ms\0U", 16, "mp3"),
            (b"lpcm", 24, "pcm_s24be"),
            (b"QDM2", 16, "qdm2"),
            (b"a\0b\n", 16, "a\\x00b\\n"),
        ] {
            assert_eq!(name(from_fourcc(*code, bits)), expected);
        }
        assert_eq!((name(from_lpcm(32, 1)), name(from_lpcm(8, 4))), ("pcm_f32le".into(), "pcm_s8".into()));
        assert_eq!(
            (name(from_object_type(0x6b)), name(from_object_type(2))),
            ("mp3".into(), "MPEG-4 object type 0x02".into())
        );
        for (id, bits, expected) in [
            ("A_AAC/MPEG4/LC/SBR", 0, "aac"),
            ("A_PCM/INT/LIT", 0, "pcm_s16le"),
            ("A_PCM/INT/BIG", 24, "pcm_s24be"),
            ("A_PCM/FLOAT/IEEE", 64, "pcm_f64le"),
            ("A_REAL/COOK", 0, "cook"),
            ("A_UNHEARD_OF", 0, "A_UNHEARD_OF"),
        ] {
            assert_eq!(name(from_matroska(id, bits)), expected);
        }
    }
}
