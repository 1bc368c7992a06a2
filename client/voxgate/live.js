/**
 * The live sessions of voxgate.js, which loads this file when a page calls `live`: sound goes up in pieces, and words come
 * down as server-sent events. What breaks in between goes on where it broke.
 */

import { Backlog } from "./backlog.js";
import { EventReader } from "./reader.js";
import { Requests } from "./requests.js";
import { Sender } from "./sender.js";
import { GatewaySession } from "./session.js";
import { LIMITS, share, shared } from "./shared.js";
import { openSource } from "./sources.js";
import { Transcript } from "./transcript.js";

/** Starts to listen, and returns the session once the gateway has opened it. */
export async function start(options, given) {
  share(given);
  const live = new Live(options);
  await live.opened;
  return live;
}

/** A live session as its page sees it, whatever becomes of the gateway's. */
class Live {
  #options;
  #controller = new AbortController();
  #signal;
  #backlog = new Backlog();
  #transcript = new Transcript((...facts) => this.#tell(...facts));
  #requests;
  #source = null;
  #meter = null;
  #session = null;
  #reader = null;
  /** All sound before this time is at the gateway. In seconds. */
  #sent = 0;
  #trouble = { sending: null, reading: null };
  #isStopping = false;
  #isOver = false;

  constructor(options) {
    this.#options = options;
    this.#signal = AbortSignal.any([this.#controller.signal, options.signal].filter(Boolean));
    this.#requests = new Requests(options, this.#maxUnsent, (part, error) => this.#onTrouble(part, error));
    this.state = "opening";
    let opened;
    const first = new Promise((resolve) => (opened = resolve));
    this.result = this.#run(opened);
    this.opened = Promise.race([first, this.result]);
    // A page that has `onError` need not look at these.
    for (const promise of [this.result, this.opened]) promise.catch(() => {});
  }

  get id() {
    return this.#session?.id ?? null;
  }

  get requestId() {
    return this.#session?.requestId ?? null;
  }

  get textSoFar() {
    return this.#transcript.text;
  }

  get elapsed() {
    return this.#source?.elapsed ?? 0;
  }

  get unsent() {
    return Math.max(0, this.elapsed - this.#sent);
  }

  get level() {
    return this.#meter && !this.#isStopping && !this.#isOver ? this.#meter.level : 0;
  }

  stop() {
    if (this.#isStopping || this.#isOver) return this.result;
    this.#isStopping = true;
    this.#showState();
    Promise.resolve(this.#source?.stop()).catch(() => {}).then(() => this.#backlog.finish());
    return this.result;
  }

  cancel(reason) {
    this.#controller.abort(reason);
  }

  // ---- From the beginning to the end

  async #run(opened) {
    try {
      await this.#listen();
      this.#session = await this.#open((request) => this.#openFirst(request));
      opened();
      this.#showState();
      this.#watchLevel();
      await this.#follow();
      const done = this.#transcript.done();
      this.#tell("onEvent", done);
      return done;
    } catch (error) {
      this.#describe(error);
      throw error;
    } finally {
      this.#isOver = true;
      this.#controller.abort();
      this.#source?.close();
      this.#meter?.close();
      this.#showState();
    }
  }

  async #listen() {
    this.#signal.throwIfAborted();
    this.#source = await openSource(this.#options, this.#signal, {
      push: (bytes) => this.#push(bytes),
      room: () => this.#backlog.until(() => this.unsent < this.#maxUnsent, this.#signal),
      end: () => void this.stop(),
      fail: (error) => this.#controller.abort(error),
    });
    if (this.#source.microphone) this.#meter = new shared.LevelMeter(this.#source.microphone);
    this.#signal.throwIfAborted();
  }

  get #maxUnsent() {
    return this.#options.maxUnsent ?? LIMITS.kept;
  }

  #push(bytes) {
    this.#backlog.push(bytes);
    // A microphone cannot wait.
    if (this.#options.source === undefined && this.unsent > this.#maxUnsent) this.#controller.abort(this.#requests.awayTooLong());
  }

  /** Serves one session after another, until all sound is heard. */
  async #follow() {
    let [losses, heardBefore] = [0, -1];
    for (;;) {
      const { done, error, isFinal } = await this.#serve(this.#session);
      if (done) this.#transcript.settle(this.#session, done);
      if (done && this.#session.isEnding) return;
      if (isFinal) throw error;
      losses = done ? 0 : this.#transcript.heard > heardBefore ? 1 : losses + 1;
      heardBefore = this.#transcript.heard;
      if (losses > LIMITS.losses) throw error;
      if (losses > 0) await this.#lose(error, losses);
      // A session that ended by itself needs no other one before there is sound for it.
      const isMore = () => this.#backlog.end > this.#position(Boolean(done));
      await this.#backlog.until(() => this.#backlog.isOver || isMore(), this.#signal);
      if (!isMore()) return;
      this.#session = await this.#open((request) => this.#requests.persist(request, "sending", this.#signal));
      this.#tell("onEvent", { type: "voxgate.session", id: this.id, requestId: this.requestId, error: error ?? null });
    }
  }

  /** Sends and reads until the session is over. */
  async #serve(session) {
    const over = new AbortController();
    const signal = AbortSignal.any([this.#signal, over.signal]);
    this.#reader = new EventReader(
      session,
      this.#requests,
      (event, response) => this.#read(session, event, response),
      (signal) => this.#onSilence(session, signal),
    );
    const sender = new Sender(session, this.#requests, this.#backlog, this.#source, () => this.#onAccepted(session));
    const reading = this.#reader.run(signal);
    // Once everything is sent, the words decide.
    const sending = sender.run(signal).then((outcome) => outcome ?? reading);
    reading.catch(() => {});
    sending.catch(() => {});
    try {
      return await Promise.race([reading, sending]);
    } finally {
      over.abort();
    }
  }

  /** What was not heard has to be sent once more. */
  async #lose(error, losses) {
    this.#sent = Math.min(this.#sent, this.#transcript.heard);
    if (error.status >= 500) this.#giveUp(this.#session);
    if (losses > 1) await this.#requests.wait(error, "sending", losses, this.#signal);
    else this.#onTrouble("sending", error);
  }

  /** Adds to an error what was heard before it, and leaves nothing behind at the gateway. */
  #describe(error) {
    const session = this.#session;
    if (error instanceof shared.VoxgateError) {
      if (this.textSoFar !== "") error.partial ??= { text: this.textSoFar };
      error.maybeCharged = (session?.number ?? 0) > 1 || (session?.seconds ?? 0) > 0;
      if (session) this.#tell("onEvent", { type: "error", error });
      if (session) this.#tell("onError", error);
    }
    if (session && session.outcome === null) this.#giveUp(session);
  }

  // ---- Sessions of the gateway

  /** Opens a session by a function that sends the request, for the sound that has no words yet. */
  async #open(send) {
    const { model, language, languages, prompt, keywords } = this.#options;
    const body = JSON.stringify({ model, language, languages, prompt, keywords, ...this.#source.format });
    let requestId = null;
    const onHead = (response) => (requestId = response.requestId);
    const answer = await send({ method: "POST", path: "/v1/live", body, type: "application/json", onHead });
    const number = (this.#session?.number ?? 0) + 1;
    const place = this.#placeOf(number);
    this.#transcript.beginSession();
    return new GatewaySession(answer, { ...place, number, requestId });
  }

  /** What does not work at the beginning is told at once. */
  async #openFirst(request) {
    const answer = await this.#requests.ask(request, this.#signal, this.#options.maxRetryWait ?? 30);
    if (typeof answer?.id !== "string") throw shared.wrongAnswer();
    this.#requests.works("sending");
    return answer;
  }

  /** Frees the place of a session. */
  #giveUp({ path }) {
    this.#requests.ask({ method: "DELETE", path }, new AbortController().signal).catch(() => {});
  }

  /** Where a session begins. Sound that cannot be sent again is told as missing. */
  #placeOf(number) {
    const { bytesPerSecond } = this.#source;
    if (bytesPerSecond === null) return this.#placeInRecording(number);
    const { heard, turnBegin } = this.#transcript;
    const kept = this.#aligned(Math.ceil, this.#backlog.begin);
    // A turn of which some words may be missing is sent again.
    const ofTurn = this.#aligned(Math.round, turnBegin * bytesPerSecond);
    const isRepeated = this.#transcript.mayGoOn(this.#reader?.brokeAt ?? performance.now()) && kept <= ofTurn;
    const from = isRepeated ? ofTurn : Math.max(this.#position(), kept);
    if (from > this.#position()) this.#tellMissing(from / bytesPerSecond);
    return { from, offset: from / bytesPerSecond, repeatsUntil: isRepeated ? heard : null };
  }

  /** A recording can only be sent from its beginning, where its header is. */
  #placeInRecording(number) {
    const source = this.#source;
    const isWhole = this.#backlog.begin <= source.recordingFrom;
    if (!isWhole) {
      source.restart(this.#backlog.end);
      this.#tellMissing(source.recordingOffset);
    }
    const { recordingFrom: from, recordingOffset: offset } = source;
    return { from, offset, repeatsUntil: isWhole && number > 1 ? this.#transcript.heard : null };
  }

  #tellMissing(end) {
    const start = this.#transcript.heard;
    const message = "A session was lost, and this part of its sound is not kept any more.";
    this.#transcript.fail(new shared.VoxgateError(message, { code: "live_audio_lost", start, end, maybeCharged: true }));
  }

  /** The first byte that has no words. Of a recording only that is known what a session that is done has heard. */
  #position(isDone = false) {
    const { bytesPerSecond, recordingFrom } = this.#source;
    if (bytesPerSecond === null) return isDone ? this.#session.accepted : recordingFrom;
    return Math.min(this.#aligned(Math.round, this.#transcript.heard * bytesPerSecond), this.#backlog.end);
  }

  #aligned(round, position) {
    return round(position / this.#source.frameBytes) * this.#source.frameBytes;
  }

  // ---- What happens in between

  #onAccepted(session) {
    const { bytesPerSecond } = this.#source;
    this.#sent = Math.max(this.#sent, session.offset + session.seconds);
    const kept = bytesPerSecond === null ? LIMITS.recordingBytes : LIMITS.kept * bytesPerSecond;
    if (bytesPerSecond !== null) this.#backlog.forget(session.accepted - kept);
    else if (session.accepted - this.#backlog.begin > kept) this.#backlog.forget(session.accepted);
    this.#backlog.wake();
  }

  #read(session, event, response) {
    this.#transcript.read(session, event, response);
    this.#forgetHeard();
  }

  /** Keeps the last turn, too: some of its words may not have come yet. */
  #forgetHeard() {
    const { bytesPerSecond } = this.#source;
    const turn = this.#transcript.turnBegin * bytesPerSecond;
    // The end of a turn may lie a little behind the sound that is sent.
    if (bytesPerSecond !== null) this.#backlog.forget(Math.min(turn, this.#position(), this.#session.accepted));
  }

  /**
   * The gateway sends a comment when it has no event to send, because nobody speaks. What is transcribed at that time has
   * given all its words when the next comment comes.
   */
  #onSilence(session, signal) {
    if (session.transcribed > 0) this.#transcript.hearUntil(session.offset + session.transcribed);
    this.#forgetHeard();
    this.#requests.ask({ method: "GET", path: session.path }, signal).then(
      (facts) => (session.transcribed = (facts?.transcribed_ms ?? 0) / 1000),
      () => {},
    );
  }

  #onTrouble(part, error) {
    const wasAway = this.#trouble[part] === "reconnecting";
    this.#trouble[part] = error === null ? null : error.status === 429 || error.status === 503 ? "waiting" : "reconnecting";
    if (part === "sending" && error === null && wasAway) this.#reader?.reconnect();
    this.#showState();
  }

  // ---- What the page is told

  /** An exception in a listener is the page's own. */
  #tell(name, ...facts) {
    queueMicrotask(() => this.#options[name]?.(...facts));
  }

  #showState() {
    const { sending, reading } = this.#trouble;
    const trouble = [sending, reading].includes("reconnecting") ? "reconnecting" : (sending ?? reading);
    const running = trouble ?? (this.#isStopping ? "ending" : "listening");
    const state = this.#isOver ? "ended" : this.#session ? running : "opening";
    if (state === this.state) return;
    this.state = state;
    this.#tell("onState", state);
  }

  #watchLevel() {
    const { onLevel } = this.#options;
    if (!onLevel || !this.#meter || this.#isStopping || this.#isOver) return;
    onLevel(this.level, this.elapsed);
    requestAnimationFrame(() => this.#watchLevel());
  }
}
