// A transcript as text, subtitles and JSON, and its segments whatever the answer looked like.

import { subtitles } from "../voxgate.js";
import { clock } from "./dom.js";

export const EXPORTS = [["txt", "Text"], ["srt", "SRT"], ["vtt", "WebVTT"], ["json", "JSON"]];

/**
 * The segments of an answer: `{start, end, text, speaker?, words}`. They are in `verbose_json` and `diarized_json`, and in
 * subtitles; a plain answer has none.
 */
export function segmentsOf(done, format) {
  if (Array.isArray(done.segments) && done.segments.length > 0) {
    return withWords(done.segments.filter(isSegment).map(({ start, end, text, speaker }) => ({ start, end, text, speaker })), done.words);
  }
  if (format === "srt" || format === "vtt") return cuesOf(done.text);
  const words = usableWords(done.words);
  return words.length > 0 ? [{ start: words[0].start, end: words.at(-1).end, text: done.text, words }] : [];
}

const hasTimes = (part) => Number.isFinite(part?.start) && Number.isFinite(part.end);

/** True if it can be shown, whatever the provider made it. */
export const isSegment = (segment) => hasTimes(segment) && typeof segment.text === "string";

const usableWords = (words) => (Array.isArray(words) ? words.filter((word) => hasTimes(word) && typeof word.word === "string") : []);

/** Gives each word to the segment in which it begins. */
function withWords(segments, words) {
  const rest = usableWords(words);
  let at = 0;
  return segments.map((segment, index) => {
    const until = segments[index + 1]?.start ?? Infinity;
    const from = at;
    while (at < rest.length && rest[at].start < until - 0.001) at++;
    return { ...segment, words: rest.slice(from, at) };
  });
}

/** The cues of SRT or WebVTT. */
function cuesOf(text) {
  const cue = /^(?:(\d+):)?(\d+):(\d+)[.,](\d+)\s+-->\s+(?:(\d+):)?(\d+):(\d+)[.,](\d+)/;
  return text.replaceAll("\r", "").split(/\n{2,}/).flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => cue.test(line));
    if (at < 0) return [];
    const [h1, m1, s1, f1, h2, m2, s2, f2] = cue.exec(lines[at]).slice(1).map((part) => part ?? "0");
    const time = (h, m, s, f) => Number(h) * 3600 + Number(m) * 60 + Number(s) + Number(`0.${f}`);
    const said = lines.slice(at + 1).join(" ").replace(/<[^>]*>/g, "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    return [{ start: time(h1, m1, s1, f1), end: time(h2, m2, s2, f2), text: said, words: [] }];
  });
}

/** The transcript in a format of `EXPORTS`, or nothing if it has no times and the format needs them. */
export function exported(item, format) {
  if (!item.done) return null;
  if (format === "json") {
    const { type, ...answer } = item.done;
    return JSON.stringify(answer, null, 2);
  }
  if (format === "txt") return plain(item);
  return item.segments.length > 0 ? subtitles(item.segments, format) : null;
}

function plain({ done, segments, call }) {
  const isSubtitles = call.response_format === "srt" || call.response_format === "vtt";
  if (segments.some(({ speaker }) => speaker)) return segments.map(({ speaker, text }) => `${speaker ?? "?"}: ${text.trim()}`).join("\n");
  return isSubtitles && segments.length > 0 ? segments.map(({ text }) => text.trim()).join("\n") : done.text;
}

/** What is missing from a transcript that is incomplete: `0:30–1:00`. */
export const stretches = (missing) => missing.map(({ start, end }) => `${clock(start)}–${clock(end)}`).join(", ");
