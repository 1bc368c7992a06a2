import { AGAIN, isFailure, mayPass } from "./requests.js";
import { LIMITS, shared } from "./shared.js";

/** The events of one session. Where the stream of them breaks, another one goes on. */
export class EventReader {
  #session;
  #requests;
  #onEvent;
  #onComment;
  #cut = () => {};
  /** The time at which the stream broke, unless it has come back. */
  brokeAt = null;

  constructor(session, requests, onEvent, onComment) {
    this.#session = session;
    this.#requests = requests;
    this.#onEvent = onEvent;
    this.#onComment = onComment;
  }

  /** Opens the stream anew. One whose connection has broken may not notice for long. */
  reconnect() {
    this.#cut();
  }

  /** Reads until the session is over, and returns its outcome. */
  async run(signal) {
    const session = this.#session;
    let failures = 0;
    let failingSince = null;
    for (;;) {
      const before = { began: performance.now(), id: session.lastEventId };
      const error = await this.#readOnce(signal).then(() => null, (error) => error);
      if (session.outcome !== null) return session.outcome;
      this.brokeAt ??= performance.now();
      signal.throwIfAborted();
      if (error !== null && !mayPass(error)) return session.outcomeOf(error);
      failingSince = error !== null && isFailure(error) ? (failingSince ?? performance.now()) : null;
      if (failingSince !== null && performance.now() - failingSince > LIMITS.failing * 1000) return session.outcomeOf(error);
      // A proxy may cut a stream when it likes. As long as something came, that is no failure.
      const isFruitful = error === AGAIN || session.lastEventId !== before.id || performance.now() - before.began > 1000;
      failures = isFruitful ? 0 : failures + 1;
      if (failures > 0) await this.#requests.wait(error ?? shared.connectionError(true), "reading", failures, signal);
    }
  }

  /** Reads one stream until it ends, breaks, or is silent for too long. */
  async #readOnce(signal) {
    const session = this.#session;
    const cut = new AbortController();
    let timer;
    const isAlive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => cut.abort(AGAIN), LIMITS.silence * 1000);
    };
    let parser;
    let lastEvent;
    const begin = (response) => {
      if (!response.headers.get("content-type")?.startsWith("text/event-stream")) throw shared.wrongAnswer();
      parser = new shared.EventParser((name, data, id) => {
        if (session.outcome !== null) return;
        lastEvent = performance.now();
        this.#onEvent(shared.parseObject(data), response);
        session.lastEventId = id;
        // Nothing comes after it.
        if (session.outcome !== null) throw AGAIN;
      }, () => {
        if (performance.now() - lastEvent >= LIMITS.quiet * 1000) this.#onComment(signal);
      });
      lastEvent = performance.now();
      this.brokeAt = null;
      isAlive();
      this.#requests.works("reading");
    };
    const push = (text) => {
      isAlive();
      parser.push(text);
    };
    this.#cut = () => cut.abort(AGAIN);
    const after = session.lastEventId === "" ? "" : `?after=${encodeURIComponent(session.lastEventId)}`;
    try {
      isAlive();
      const either = AbortSignal.any([signal, cut.signal]);
      await shared.abortable(this.#requests.read(`${session.path}/events${after}`, { begin, push }, either), either);
    } finally {
      clearTimeout(timer);
    }
  }
}
