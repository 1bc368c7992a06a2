/** What the live sessions use of voxgate.js. They import nothing of it: a page may have it under another name. */

export let shared = null;

export function share(given) {
  shared = given;
}

/** Bounds, in seconds and bytes. Tests shorten them. */
export const LIMITS = {
  /** A piece has at least this much sound, unless no more comes. */
  batch: 0.25,
  /** The size of a piece that catches up. */
  pieceBytes: 131_072,
  /** The answer to a piece may take this long, besides the time for its bytes at `slowestBytesPerSecond`. */
  answer: 15,
  slowestBytesPerSecond: 8_000,
  /** A stream of events that is silent for longer is opened anew. The gateway sends a comment every 15 seconds. */
  silence: 45,
  /** A comment tells that nobody speaks if no event has come for longer. */
  quiet: 5,
  /** The words of a turn come together. If a stream breaks sooner after an event, some of them may be missing. */
  turn: 1,
  /** The sound before a turn that is sent again with it. */
  lead: 0.5,
  firstWait: 0.25,
  longestWait: 4,
  /** A session whose gateway fails for longer is given up for another. */
  failing: 30,
  /** As many sessions may be lost in a row without a new word. */
  losses: 3,
  /** Sound that was sent is kept until its words have come, but no longer than this. So is sound that cannot be sent. */
  kept: 600,
  /** As long as it is no longer than this, a recording of MediaRecorder can be sent again. */
  recordingBytes: 10_000_000,
};

/** A signal that aborts after these seconds. Node takes whole milliseconds only. */
export const timeout = (seconds) => AbortSignal.timeout(Math.round(seconds * 1000));
