#!/bin/sh
# Makes the recordings that the tests measure, and lengths.tsv, which says how long each of them truly is.
#
# Needs espeak-ng, ffmpeg (with libmp3lame, libopus and libvorbis), python3 and chromium: on Debian,
#   apt-get install espeak-ng ffmpeg python3 chromium
# The results are kept in the repository, so this is only run to add to them. Encoders differ from version to version:
# expect other bytes, and lengths that differ by a few milliseconds.
set -eu
cd "$(dirname "$0")"

for tool in espeak-ng ffmpeg ffprobe python3 chromium; do
    command -v "$tool" >/dev/null || { echo "make.sh: $tool is missing" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# -bitexact keeps versions and dates out of the files, so that the same encoder gives the same bytes.
encode() { ffmpeg -nostdin -v error -y -bitexact "$@"; }

espeak-ng -v en -s 165 -w "$work/spoken.wav" "The gateway measures every recording before anything is spent."
encode -i "$work/spoken.wav" -ar 16000 -ac 1 -t 2.5 "$work/speech.wav"
# Uncompressed speech outgrows a small repository quickly, so it is kept narrower and shorter.
encode -i "$work/speech.wav" -ar 8000 -t 1.8 "$work/narrow.wav"
# For the README and a first try: one sentence from its beginning to its end.
espeak-ng -v en -s 150 -w "$work/sentence.wav" "This recording says one short sentence."
encode -i "$work/sentence.wav" -ar 16000 -ac 1 sample.wav
in="$work/speech.wav"
narrow="$work/narrow.wav"

encode -i "$narrow" -c:a pcm_s16le pcm16.wav
encode -i "$narrow" -c:a pcm_mulaw mulaw.wav
# Written to a pipe, where the lengths cannot be filled in afterwards.
encode -i "$narrow" -c:a pcm_s16le -f wav - | cat >live.wav

encode -i "$in" -c:a libmp3lame -b:a 32k cbr.mp3
encode -i "$in" -c:a libmp3lame -q:a 6 vbr.mp3
encode -i "$in" -c:a libmp3lame -q:a 6 -write_xing 0 -id3v2_version 0 vbr-no-header.mp3

encode -i "$narrow" -c:a flac speech.flac
encode -i "$narrow" -c:a flac -f flac - | cat >streamed.flac

encode -i "$in" -c:a libopus -b:a 16k opus.ogg
encode -i "$in" -c:a libvorbis -q:a 0 vorbis.ogg

# At the rate of a telephone's voice memo.
encode -i "$in" -ar 44100 -c:a aac -b:a 32k aac.m4a
# What Safari's MediaRecorder writes: an empty moov, then fragments.
encode -i "$in" -ar 44100 -c:a aac -b:a 32k -movflags empty_moov+default_base_moof -frag_duration 500000 fragmented.mp4

encode -i "$in" -c:a libopus -b:a 16k opus.webm
encode -i "$in" -c:a libopus -b:a 16k -f webm -live 1 - | cat >live.webm
python3 record.py recorder.webm

# A codec that the gateway can measure and not decode.
encode -i sample.wav -c:a ac3 -b:a 64k ac3.mka

encode -f lavfi -i "color=size=16x16:rate=5:duration=1" -c:v mpeg4 -an video-only.mp4

# The truth is what a decoder gives: frames that come out, at the rate at which they do.
printf 'file\tcontainer\tcodec\tms\n' >lengths.tsv
truth() {
    codec=$(ffprobe -v error -select_streams a:0 -show_entries stream=codec_name -of csv=p=0 "$1" | head -n 1)
    rate=$(ffprobe -v error -select_streams a:0 -show_entries stream=sample_rate -of csv=p=0 "$1" | head -n 1)
    bytes=$(ffmpeg -nostdin -v error -i "$1" -map a:0 -ac 1 -f s16le - | wc -c)
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$codec" "$((bytes * 500 / rate))" >>lengths.tsv
}
for file in *.wav; do truth "$file" wav; done
for file in *.mp3; do truth "$file" mp3; done
for file in *.flac; do truth "$file" flac; done
for file in *.ogg; do truth "$file" ogg; done
truth aac.m4a mp4
truth fragmented.mp4 mp4
for file in *.webm; do truth "$file" webm; done

# The samples of the console.
samples=../../src/http/handlers/console/samples
encode -i sample.wav -ac 1 -ar 16000 -b:a 32k "$samples/sentence.mp3"
espeak-ng -v en-gb -s 150 -p 45 -w "$work/talk.wav" "Good morning, and welcome. Today we talk about small gateways. \
A gateway stands between a page and a provider. It checks who is calling, it measures the recording, and it passes the sound \
on. The key never leaves the server. When the transcript comes back, the words appear as they are recognised. That is all \
there is to it. Thank you for listening."
encode -i "$work/talk.wav" -ac 1 -ar 16000 -b:a 16k "$samples/talk.mp3"
espeak-ng -v fr -s 145 -w "$work/french.wav" "Bonjour. Cet enregistrement est en français, pour essayer la traduction."
encode -i "$work/french.wav" -ac 1 -ar 16000 -b:a 24k "$samples/french.mp3"
