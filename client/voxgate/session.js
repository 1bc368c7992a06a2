import { LIMITS } from "./shared.js";

/** A session of the gateway. Where one is lost, another one goes on. */
export class GatewaySession {
  /** Where in all of the sound it begins: in bytes, and in seconds. */
  from;
  offset;
  /** The id of the request that opened it, by which its cost is known. */
  requestId;
  /** The first one has 1. */
  number;
  /** Where each piece ends, by its `seq`. A piece that was tried never changes: the gateway may have it. */
  ends = [];
  /** The number of the next piece. */
  seq = 0;
  /** How often the gateway knew fewer pieces than were sent. */
  rewinds = 0;
  /** The length of the sound that the gateway has, in seconds. */
  seconds = 0;
  /** True once the gateway was told that no more sound comes. */
  isEnding = false;
  /** How it ended: `{done}`, or `{error, isFinal}`. */
  outcome = null;
  lastEventId = "";
  /** The time up to which the gateway says that everything is transcribed. */
  transcribed = 0;
  /** A recording that is sent again repeats words up to this time. Deltas are held until their segment tells their time. */
  repeatsUntil = null;
  heldDeltas = [];

  constructor({ id, max_piece_bytes: maxPieceBytes }, place) {
    this.id = id;
    this.pieceBytes = Math.min(maxPieceBytes ?? LIMITS.pieceBytes, LIMITS.pieceBytes);
    Object.assign(this, place);
  }

  get path() {
    return `/v1/live/${encodeURIComponent(this.id)}`;
  }

  /** Where the pieces end that the gateway has. */
  get accepted() {
    return this.ends[this.seq - 1] ?? this.from;
  }

  /** Where the pieces end that were tried. */
  get tried() {
    return this.ends.at(-1) ?? this.from;
  }

  /** The outcome if a request for it failed for good. */
  outcomeOf(error) {
    const isLost = error.status === 404 || error.status === 410 || error.status >= 500 || error.code === "live_wrong_seq";
    return { error, isFinal: !isLost || error.code === "live_disabled" };
  }
}
