import { LIMITS, shared, timeout } from "./shared.js";

/** The way of the sound to one session: in pieces, one at a time. */
export class Sender {
  #session;
  #requests;
  #backlog;
  #batchBytes;
  #onAccepted;

  constructor(session, requests, backlog, { bytesPerSecond }, onAccepted) {
    this.#session = session;
    this.#requests = requests;
    this.#backlog = backlog;
    // A recorder gives its sound in batches.
    this.#batchBytes = bytesPerSecond === null ? 0 : bytesPerSecond * LIMITS.batch;
    this.#onAccepted = onAccepted;
  }

  /** Sends until all sound is sent or the session has ended. Returns an outcome if the session is lost. */
  async run(signal) {
    const session = this.#session;
    try {
      while (await this.#hasPiece(signal)) await this.#sendPiece(signal);
      session.isEnding = true;
      await this.#requests.persist({ method: "POST", path: `${session.path}/end` }, "sending", signal, LIMITS.failing);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      // Its events tell how it ended.
      return error.code === "live_session_ended" ? null : session.outcomeOf(error);
    }
  }

  /** Waits for the next piece. There is none if all sound is sent. */
  async #hasPiece(signal) {
    const { ends, seq, tried } = this.#session;
    if (ends[seq] !== undefined) return true;
    const backlog = this.#backlog;
    await backlog.until(() => backlog.end > tried || backlog.isOver, signal);
    const isEnough = () => backlog.end - tried >= this.#batchBytes || backlog.isOver;
    if (!isEnough()) {
      await backlog.until(isEnough, AbortSignal.any([signal, timeout(LIMITS.batch)])).catch(() => {});
      signal.throwIfAborted();
    }
    return backlog.end > tried;
  }

  async #sendPiece(signal) {
    const session = this.#session;
    const { seq, accepted: from, ends } = session;
    ends[seq] ??= Math.min(this.#backlog.end, from + session.pieceBytes);
    if (from < this.#backlog.begin) throw gap("The gateway asks for sound whose words it has given.");
    const body = this.#backlog.slice(from, ends[seq]);
    const request = { method: "POST", path: `${session.path}/audio?seq=${seq}`, body, type: "application/octet-stream" };
    try {
      const { next_seq: next, audio_ms: ms } = await this.#requests.persist(request, "sending", signal, LIMITS.failing);
      if (!(next > seq && next <= ends.length)) throw gap("The gateway counts the pieces differently.");
      session.seq = next;
      session.seconds = Number.isFinite(ms) ? ms / 1000 : session.seconds;
      this.#onAccepted();
    } catch (error) {
      // It can only know fewer of them than this side.
      if (error.code !== "live_wrong_seq" || !(error.nextSeq >= 0 && error.nextSeq < seq)) throw error;
      if (++session.rewinds > LIMITS.losses) throw error;
      session.seq = error.nextSeq;
    }
  }
}

const gap = (message) => new shared.VoxgateError(message, { code: "live_wrong_seq" });
