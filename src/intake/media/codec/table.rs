//! The codecs that the gateway can name.

use std::fmt;

use super::adpcm_layout::Layout;

/// A codec: an entry of the table below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codec {
    name: &'static str,
    counting: Counting,
    min_bits_per_second: u32,
}

/// The way to count the duration of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Counting {
    Mpeg,
    Aac,
    Opus,
    Vorbis,
    Flac,
    /// Samples with a fixed number of bits.
    Pcm {
        bits: u16,
    },
    Adpcm(Layout),
    /// AC-3, enhanced or not.
    Ac3,
    Dts,
    Alac,
    Speex,
    AmrNarrow,
    AmrWide,
    WavPack,
    Tta,
    /// Frames of some kind under a header that says PCM.
    Disguised,
    /// Frames of MPEG audio, in a file that players may read as another format.
    /// `gaps`: bytes outside frames are stray.
    AmongOthers {
        gaps: bool,
    },
    /// No counting: the codec is refused.
    Refused,
}

impl Codec {
    const fn new(name: &'static str, counting: Counting, min_bits_per_second: u32) -> Self {
        Self { name, counting, min_bits_per_second }
    }

    const fn pcm(name: &'static str, bits: u16) -> Self {
        // The minimum is that of telephone sound with one channel.
        Self::new(name, Counting::Pcm { bits }, 64_000)
    }

    const fn adpcm(name: &'static str, layout: Layout) -> Self {
        Self::new(name, Counting::Adpcm(layout), 13_000)
    }

    const fn refused(name: &'static str) -> Self {
        Self::new(name, Counting::Refused, 1_000)
    }

    /// Returns the short name, as in ffmpeg.
    pub fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn counting(self) -> Counting {
        self.counting
    }

    /// Returns the minimum bit rate of such sound, in bits a second. Bytes that no frame explains count at this rate.
    pub(in super::super) fn min_bits_per_second(self) -> u64 {
        self.min_bits_per_second.into()
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The codecs that WAV calls PCM.
pub(in super::super) const PLAIN_PCM: &[Codec] = &[PCM_U8, PCM_S16LE, PCM_S24LE, PCM_S32LE, PCM_S64LE];

macro_rules! codecs {
    ($($constant:ident = $codec:expr;)*) => {
        $(pub(in super::super) const $constant: Codec = $codec;)*

        /// All codecs.
        #[cfg(test)]
        pub(super) const ALL: &[Codec] = &[$($constant),*];
    };
}

codecs! {
    MP1 = Codec::new("mp1", Counting::Mpeg, 32_000);
    MP2 = Codec::new("mp2", Counting::Mpeg, 8_000);
    MP3 = Codec::new("mp3", Counting::Mpeg, 8_000);
    // The minimum is that of the thinnest sound: AMR frames of "no data", one byte for 20 ms.
    MP3_IN_DOUBT = Codec::new("mp3", Counting::AmongOthers { gaps: true }, 400);
    MP3_OR_OTHERS = Codec::new("mp3", Counting::AmongOthers { gaps: false }, 8_000);
    AAC = Codec::new("aac", Counting::Aac, 2_000);
    OPUS = Codec::new("opus", Counting::Opus, 2_000);
    VORBIS = Codec::new("vorbis", Counting::Vorbis, 2_000);
    FLAC = Codec::new("flac", Counting::Flac, 4_000);

    PCM_U8 = Codec::pcm("pcm_u8", 8);
    PCM_S8 = Codec::pcm("pcm_s8", 8);
    PCM_S16LE = Codec::pcm("pcm_s16le", 16);
    PCM_S16BE = Codec::pcm("pcm_s16be", 16);
    PCM_S24LE = Codec::pcm("pcm_s24le", 24);
    PCM_S24BE = Codec::pcm("pcm_s24be", 24);
    PCM_S32LE = Codec::pcm("pcm_s32le", 32);
    PCM_S32BE = Codec::pcm("pcm_s32be", 32);
    PCM_S64LE = Codec::pcm("pcm_s64le", 64);
    PCM_F32LE = Codec::pcm("pcm_f32le", 32);
    PCM_F32BE = Codec::pcm("pcm_f32be", 32);
    PCM_F64LE = Codec::pcm("pcm_f64le", 64);
    PCM_F64BE = Codec::pcm("pcm_f64be", 64);
    PCM_ALAW = Codec::pcm("pcm_alaw", 8);
    PCM_MULAW = Codec::pcm("pcm_mulaw", 8);

    ADPCM_MS = Codec::adpcm("adpcm_ms", Layout::Microsoft);
    ADPCM_IMA_WAV = Codec::adpcm("adpcm_ima_wav", Layout::ImaWav);
    ADPCM_IMA_QT = Codec::adpcm("adpcm_ima_qt", Layout::ImaQuickTime);
    ADPCM_YAMAHA = Codec::adpcm("adpcm_yamaha", Layout::Nibbles);
    ADPCM_SWF = Codec::adpcm("adpcm_swf", Layout::Flash);
    ADPCM_G722 = Codec::adpcm("adpcm_g722", Layout::G722);
    ADPCM_G726 = Codec::adpcm("adpcm_g726", Layout::G726);
    GSM = Codec::adpcm("gsm", Layout::Gsm);
    GSM_MS = Codec::adpcm("gsm_ms", Layout::GsmMicrosoft);
    MACE3 = Codec::adpcm("mace3", Layout::Mace3);
    MACE6 = Codec::adpcm("mace6", Layout::Mace6);

    AC3 = Codec::new("ac3", Counting::Ac3, 32_000);
    EAC3 = Codec::new("eac3", Counting::Ac3, 32_000);
    DTS = Codec::new("dts", Counting::Dts, 24_000);
    DTS_EXPRESS = Codec::refused("dts express");
    ALAC = Codec::new("alac", Counting::Alac, 4_000);
    SPEEX = Codec::new("speex", Counting::Speex, 2_000);
    AMR_NB = Codec::new("amr_nb", Counting::AmrNarrow, 400);
    AMR_WB = Codec::new("amr_wb", Counting::AmrWide, 400);
    WAVPACK = Codec::new("wavpack", Counting::WavPack, 4_000);
    TTA = Codec::new("tta", Counting::Tta, 4_000);

    DISGUISED = Codec::new("frames in pcm_s16le", Counting::Disguised, 8_000);

    AAC_LATM = Codec::refused("aac_latm");
    AC4 = Codec::refused("ac4");
    ACELP_KELVIN = Codec::refused("acelp.kelvin");
    ADPCM_AICA = Codec::refused("adpcm_aica");
    ADPCM_CT = Codec::refused("adpcm_ct");
    ADPCM_IMA_DK3 = Codec::refused("adpcm_ima_dk3");
    ADPCM_IMA_DK4 = Codec::refused("adpcm_ima_dk4");
    ADPCM_IMA_OKI = Codec::refused("adpcm_ima_oki");
    ADPCM_ZORK = Codec::refused("adpcm_zork");
    ATRAC1 = Codec::refused("atrac1");
    ATRAC3 = Codec::refused("atrac3");
    AVC = Codec::refused("avc");
    COOK = Codec::refused("cook");
    DVAUDIO = Codec::refused("dvaudio");
    EVRC = Codec::refused("evrc");
    G723_1 = Codec::refused("g723_1");
    G729 = Codec::refused("g729");
    IAC = Codec::refused("iac");
    IEC_61937 = Codec::refused("s/pdif (iec 61937)");
    ILBC = Codec::refused("ilbc");
    IMC = Codec::refused("imc");
    METASOUND = Codec::refused("metasound");
    MLP = Codec::refused("mlp");
    MPEGH_3D_AUDIO = Codec::refused("mpegh_3d_audio");
    NELLYMOSER = Codec::refused("nellymoser");
    QCELP = Codec::refused("qcelp");
    QDM2 = Codec::refused("qdm2");
    QDMC = Codec::refused("qdmc");
    RA_144 = Codec::refused("ra_144");
    RA_288 = Codec::refused("ra_288");
    SIPR = Codec::refused("sipr");
    SMV = Codec::refused("smv");
    SONIC = Codec::refused("sonic");
    TRUEHD = Codec::refused("truehd");
    TRUESPEECH = Codec::refused("truespeech");
    WMALOSSLESS = Codec::refused("wmalossless");
    WMAPRO = Codec::refused("wmapro");
    WMAV1 = Codec::refused("wmav1");
    WMAV2 = Codec::refused("wmav2");
    WMAVOICE = Codec::refused("wmavoice");
    XAN_DPCM = Codec::refused("xan_dpcm");
    XMA1 = Codec::refused("xma1");
    XMA2 = Codec::refused("xma2");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_codec_has_one_row() {
        // MP3 has an entry for each way in which players may read it.
        let rows = || ALL.iter().filter(|codec| !matches!(codec.counting(), Counting::AmongOthers { .. }));
        let names: BTreeSet<&str> = rows().map(|codec| codec.name()).collect();
        assert_eq!(names.len(), rows().count());
        assert!(ALL.iter().all(|codec| codec.min_bits_per_second() > 0));
    }
}
