//! What recordings come as: every container that is taken, with every codec that is seen in it.

pub(crate) struct Format {
    pub(crate) name: &'static str,
    /// The ending of its file, by which ffmpeg knows what to write.
    pub(crate) ending: &'static str,
    /// How ffmpeg makes it.
    pub(crate) arguments: &'static str,
    /// Whether it has a picture too.
    pub(crate) picture: bool,
    /// Whether it is written where nothing can be filled in afterwards, as to a pipe.
    pub(crate) piped: bool,
    /// Whether another row is like it in all but a number: it is cut, joined and lied about by `VOXGATE_LENGTHS=full` alone.
    pub(crate) alike: bool,
    /// The codec that is named, where it is refused.
    pub(crate) refused: Option<&'static str>,
}

pub(crate) const fn taken(name: &'static str, ending: &'static str, arguments: &'static str) -> Format {
    Format { name, ending, arguments, picture: false, piped: false, alike: false, refused: None }
}

const fn alike(name: &'static str, ending: &'static str, arguments: &'static str) -> Format {
    Format { alike: true, ..taken(name, ending, arguments) }
}

const fn piped(name: &'static str, ending: &'static str, arguments: &'static str) -> Format {
    Format { piped: true, ..taken(name, ending, arguments) }
}

const fn beside_a_picture(name: &'static str, ending: &'static str, arguments: &'static str) -> Format {
    Format { picture: true, ..taken(name, ending, arguments) }
}

const fn refused(name: &'static str, ending: &'static str, arguments: &'static str, codec: &'static str) -> Format {
    Format { refused: Some(codec), ..taken(name, ending, arguments) }
}

pub(crate) const FORMATS: &[Format] = &[
    taken("wav u8", "wav", "-c:a pcm_u8 -ar 8000 -ac 1"),
    taken("wav s16", "wav", "-c:a pcm_s16le -ar 16000 -ac 1"),
    alike("wav s16 stereo 48k", "wav", "-c:a pcm_s16le"),
    alike("wav s24", "wav", "-c:a pcm_s24le -ar 16000"),
    alike("wav s32", "wav", "-c:a pcm_s32le -ar 16000"),
    taken("wav f32", "wav", "-c:a pcm_f32le -ar 16000"),
    alike("wav f64", "wav", "-c:a pcm_f64le -ar 8000"),
    alike("wav alaw", "wav", "-c:a pcm_alaw -ar 8000 -ac 1"),
    taken("wav mulaw", "wav", "-c:a pcm_mulaw -ar 8000 -ac 1"),
    taken("wav ima adpcm", "wav", "-c:a adpcm_ima_wav -ar 16000"),
    taken("wav ms adpcm", "wav", "-c:a adpcm_ms -ar 16000"),
    taken("wav g722", "wav", "-c:a g722 -ar 16000 -ac 1"),
    taken("wav g726", "wav", "-c:a g726 -ar 8000 -ac 1 -b:a 32k"),
    taken("wav gsm", "wav", "-c:a libgsm_ms -ar 8000 -ac 1"),
    taken("wav mp3", "wav", "-c:a libmp3lame -ar 44100 -b:a 64k"),
    alike("wav mp2", "wav", "-c:a mp2 -ar 44100 -b:a 128k"),
    taken("wav ac3", "wav", "-c:a ac3 -b:a 128k"),
    taken("rf64", "wav", "-c:a pcm_s16le -ar 16000 -ac 1 -rf64 always"),
    alike("rf64 with a title", "wav", "-c:a pcm_s16le -ar 16000 -ac 1 -rf64 always -metadata title=Interview"),
    piped("wav to a pipe", "wav", "-c:a pcm_s16le -ar 16000 -ac 1 -f wav"),
    taken("aiff s16", "aiff", "-c:a pcm_s16be -ar 16000"),
    taken("aiff-c mulaw", "aiff", "-c:a pcm_mulaw -ar 8000 -ac 1"),
    taken("caf s16", "caf", "-c:a pcm_s16be -ar 16000"),
    taken("caf alac", "caf", "-c:a alac -ar 16000"),
    taken("caf opus", "caf", "-c:a libopus"),
    taken("mp3 cbr", "mp3", "-c:a libmp3lame -b:a 64k"),
    taken("mp3 vbr", "mp3", "-c:a libmp3lame -q:a 5"),
    taken("mp3 vbr without a header", "mp3", "-c:a libmp3lame -q:a 7 -write_xing 0 -id3v2_version 0"),
    alike("mp3 22k mono", "mp3", "-c:a libmp3lame -ar 22050 -ac 1 -b:a 32k"),
    taken("mp3 8k mono", "mp3", "-c:a libmp3lame -ar 8000 -ac 1 -b:a 8k"),
    taken("mp3 with id3v1", "mp3", "-c:a libmp3lame -b:a 64k -write_id3v1 1 -metadata title=Interview"),
    taken("mp2", "mp2", "-c:a mp2 -b:a 128k"),
    taken("flac", "flac", "-c:a flac -ar 16000 -ac 1"),
    alike("flac stereo 48k", "flac", "-c:a flac"),
    piped("flac to a pipe", "flac", "-c:a flac -ar 16000 -f flac"),
    taken("ogg opus", "ogg", "-c:a libopus -b:a 24k"),
    taken("ogg opus voip", "ogg", "-c:a libopus -b:a 12k -application voip -ac 1 -frame_duration 60"),
    taken("ogg opus short", "ogg", "-c:a libopus -b:a 64k -frame_duration 2.5"),
    taken("ogg vorbis", "ogg", "-c:a libvorbis -q:a 1"),
    alike("ogg vorbis 8k", "ogg", "-c:a libvorbis -ar 8000 -ac 1 -q:a 0"),
    taken("ogg flac", "ogg", "-c:a flac -ar 16000"),
    taken("ogg speex", "ogg", "-c:a libspeex -ar 16000 -ac 1"),
    alike("ogg speex narrow", "ogg", "-c:a libspeex -ar 8000 -ac 1 -frames_per_packet 4"),
    beside_a_picture("ogg vorbis and theora", "ogv", "-c:a libvorbis -c:v libtheora -q:v 8"),
    taken("webm opus", "webm", "-c:a libopus -b:a 24k"),
    piped("webm opus live", "webm", "-c:a libopus -b:a 24k -f webm -live 1"),
    beside_a_picture(
        "webm opus and vp8",
        "webm",
        "-c:a libopus -b:a 24k -c:v libvpx -b:v 3M -deadline realtime -cpu-used 8",
    ),
    taken("webm vorbis", "webm", "-c:a libvorbis -q:a 1"),
    taken("mkv aac", "mkv", "-c:a aac -b:a 64k"),
    taken("mkv mp3", "mkv", "-c:a libmp3lame -b:a 64k"),
    taken("mkv flac", "mkv", "-c:a flac -ar 16000"),
    taken("mkv alac", "mkv", "-c:a alac -ar 16000"),
    taken("mkv s16", "mkv", "-c:a pcm_s16le -ar 16000"),
    alike("mkv f32", "mkv", "-c:a pcm_f32le -ar 16000"),
    taken("mkv ac3", "mkv", "-c:a ac3 -b:a 128k"),
    alike("mkv eac3", "mkv", "-c:a eac3 -b:a 128k"),
    taken("mkv dts", "mkv", "-c:a dca -b:a 512k"),
    taken("mkv tta", "mkv", "-c:a tta -ar 16000"),
    taken("mkv wavpack", "mkv", "-c:a wavpack -ar 16000"),
    taken("mkv ms adpcm", "mkv", "-c:a adpcm_ms -ar 16000"),
    beside_a_picture("mkv pcm and mjpeg", "mkv", "-c:a pcm_s16le -ar 16000 -c:v mjpeg -q:v 2"),
    taken("mp4 aac", "m4a", "-c:a aac -b:a 64k"),
    alike("mp4 aac 22k mono", "m4a", "-c:a aac -ar 22050 -ac 1 -b:a 32k"),
    taken("mp4 aac index first", "m4a", "-c:a aac -b:a 64k -movflags faststart"),
    taken(
        "mp4 aac fragmented",
        "mp4",
        "-c:a aac -b:a 64k -movflags empty_moov+default_base_moof -frag_duration 500000",
    ),
    taken(
        "mp4 aac fragmented as dash",
        "mp4",
        "-c:a aac -b:a 64k -movflags dash+empty_moov+default_base_moof -frag_duration 900000",
    ),
    taken(
        "mp4 aac in hybrid fragments",
        "mp4",
        "-c:a aac -b:a 64k -movflags +frag_custom+delay_moov -frag_duration 500000",
    ),
    beside_a_picture("mp4 aac and mpeg4", "mp4", "-c:a aac -b:a 64k -c:v mpeg4 -b:v 3M"),
    beside_a_picture("mp4 ac3 and mpeg4", "mp4", "-c:a ac3 -b:a 128k -c:v mpeg4 -b:v 3M"),
    taken("mp4 mp3", "mp4", "-c:a libmp3lame -b:a 64k"),
    taken("mp4 ac3", "mp4", "-c:a ac3 -b:a 128k"),
    taken("mp4 eac3", "mp4", "-c:a eac3 -b:a 128k"),
    taken("mp4 opus", "mp4", "-c:a libopus -b:a 24k"),
    taken("mp4 flac", "mp4", "-c:a flac -ar 16000"),
    taken("mp4 alac", "m4a", "-c:a alac -ar 16000"),
    taken("mov s16", "mov", "-c:a pcm_s16le -ar 16000"),
    alike("mov s16 big-endian", "mov", "-c:a pcm_s16be -ar 16000"),
    alike("mov s24", "mov", "-c:a pcm_s24le -ar 16000"),
    alike("mov f32", "mov", "-c:a pcm_f32le -ar 16000"),
    taken("mov mulaw", "mov", "-c:a pcm_mulaw -ar 8000 -ac 1"),
    taken("mov ima4", "mov", "-c:a adpcm_ima_qt -ar 16000"),
    alike("mov alac", "mov", "-c:a alac -ar 16000"),
    beside_a_picture("mov aac and mjpeg", "mov", "-c:a aac -b:a 64k -c:v mjpeg -q:v 2"),
    beside_a_picture("mov alac and mjpeg", "mov", "-c:a alac -ar 16000 -c:v mjpeg -q:v 2"),
    refused("mkv wma", "mkv", "-c:a wmav2 -ar 44100 -b:a 64k", "wmav2"),
];
