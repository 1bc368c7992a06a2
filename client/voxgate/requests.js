import { LIMITS, shared, timeout } from "./shared.js";

/** The reason by which a request is given up for another one. */
export const AGAIN = new Error("again");

/** The requests of a live session. Those that can be repeated are, until they are answered or refused for good. */
export class Requests {
  #url;
  #token;
  #maxAway;
  #onTrouble;
  #lastContact = performance.now();
  /** What last went wrong. */
  lastError = null;

  /** `onTrouble` gets the part that failed or works again (`sending` or `reading`), and the error or `null`. */
  constructor({ url, token }, maxAway, onTrouble) {
    this.#url = url;
    this.#token = cached(token);
    this.#maxAway = maxAway;
    this.#onTrouble = onTrouble;
  }

  /** Sends a request once and returns the object that the answer has. `onHead` gets the facts of its head. */
  async ask({ method, path, body, type, onHead = () => {} }, signal, maxRetryWait = -1) {
    let text = "";
    const reader = { begin: onHead, push: (chunk) => (text += chunk) };
    const headers = type ? { "Content-Type": type } : {};
    const limit = timeout(LIMITS.answer + (body?.length ?? 0) / LIMITS.slowestBytesPerSecond);
    const request = { method, url: shared.addressOf(path, this.#url), headers, body };
    const either = AbortSignal.any([signal, limit]);
    await shared.abortable(shared.send(request, reader, { token: this.#token, signal: either, maxRetryWait }), either);
    return shared.parseObject(text);
  }

  /** Reads a stream of events until it ends or breaks. */
  read(path, reader, signal) {
    const request = { method: "GET", url: shared.addressOf(path, this.#url), headers: { Accept: "text/event-stream" } };
    return shared.send(request, reader, { token: this.#token, signal, maxRetryWait: -1 });
  }

  /** Repeats a request. A gateway that fails for longer than `giveUpAfter` seconds is not asked again. */
  async persist(request, part, signal, giveUpAfter = Infinity) {
    let failingSince = null;
    for (let failures = 1; ; failures++) {
      try {
        const answer = await this.ask(request, signal);
        if (!answer) throw shared.wrongAnswer();
        this.works(part);
        return answer;
      } catch (error) {
        if (signal.aborted || !mayPass(error)) throw error;
        failingSince = isFailure(error) ? (failingSince ?? performance.now()) : null;
        if (failingSince !== null && performance.now() - failingSince > giveUpAfter * 1000) throw error;
        await this.wait(error, part, failures, signal);
      }
    }
  }

  works(part) {
    this.#lastContact = performance.now();
    this.#onTrouble(part, null);
  }

  /** Waits after a failure, unless the gateway has been away for too long. */
  async wait(error, part, failures, signal) {
    this.lastError = error;
    this.#onTrouble(part, error);
    if (performance.now() - this.#lastContact > this.#maxAway * 1000) throw this.awayTooLong();
    const wait = Math.min(LIMITS.longestWait, LIMITS.firstWait * 2 ** (failures - 1));
    await shared.sleep(error.retryAfter ?? wait * (0.5 + Math.random() / 2), signal);
  }

  awayTooLong() {
    const { code, status, message = "" } = this.lastError ?? {};
    const words = `The gateway took no sound for ${this.#maxAway} seconds. ${message}`.trim();
    const isOwn = this.lastError instanceof shared.VoxgateError;
    return new shared.VoxgateError(words, { code: isOwn ? code : "connection_lost", status, cause: this.lastError });
  }
}

/** True for what a repetition may mend: a broken connection, the page of some other server, a limit, a failure. */
export function mayPass(error) {
  if (error === AGAIN || error.name === "TimeoutError") return true;
  if (!(error instanceof shared.VoxgateError) || error.response?.headers.get("x-should-retry") === "false") return false;
  return isFailure(error) || [408, 429, 503].includes(error.status) || ["connection_lost", "invalid_answer"].includes(error.code);
}

/** True if the gateway itself does not work, and not only for the moment. */
export const isFailure = ({ status }) => status >= 500 && status !== 503;

/** Asks for a token once, and again only when it has to be renewed: a session has several requests a second. */
function cached(token) {
  if (typeof token !== "function") return token;
  let current = null;
  let asking = null;
  const ask = (renew) =>
    (asking ??= Promise.resolve()
      .then(() => token({ renew }))
      // A page asks a server of its own, which is as far away as the gateway.
      .catch((cause) => Promise.reject(cause instanceof TypeError ? shared.connectionError(false, cause) : cause))
      .then((fresh) => (current = fresh))
      .finally(() => (asking = null)));
  return ({ renew }) => (renew || current === null ? ask(renew) : current);
}
