import { shared } from "./shared.js";

/** The sound that may still be needed. A position counts the bytes of all sound since the beginning. */
export class Backlog {
  #chunks = [];
  #waiting = [];
  /** What lies before this position is forgotten. */
  begin = 0;
  end = 0;
  isOver = false;

  push(bytes) {
    if (this.isOver || bytes.length === 0) return;
    this.#chunks.push({ at: this.end, bytes });
    this.end += bytes.length;
    this.wake();
  }

  /** No more sound comes. */
  finish() {
    this.isOver = true;
    this.wake();
  }

  slice(from, to) {
    const piece = new Uint8Array(to - from);
    for (const { at, bytes } of this.#chunks) {
      const part = bytes.subarray(Math.max(0, from - at), Math.max(0, to - at));
      if (part.length > 0) piece.set(part, Math.max(at, from) - from);
    }
    return piece;
  }

  /** Forgets the chunks that lie before a position. */
  forget(position) {
    const isBefore = ({ at, bytes }) => at + bytes.length <= position;
    const count = this.#chunks.findIndex((chunk) => !isBefore(chunk));
    this.#chunks.splice(0, count < 0 ? this.#chunks.length : count);
    this.begin = this.#chunks[0]?.at ?? this.end;
  }

  /** Waits until `isTrue`, which is asked again at each change. */
  async until(isTrue, signal) {
    while (!isTrue()) await shared.abortable(new Promise((resolve) => this.#waiting.push(resolve)), signal);
  }

  /** Tells those who wait of a change. */
  wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
