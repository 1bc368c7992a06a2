// A server that speaks the contract of live sessions (docs/live.md), and fails as it is told. What it hears are numbers: each
// stretch of equal samples is a word, so that lost, repeated and displaced sound can be seen in the words.

import http from "node:http";

export const SAMPLE_RATE = 8000;
/** The length of each word, in samples and seconds. */
export const WORD = 400;
export const WORD_SECONDS = WORD / SAMPLE_RATE;

/** The sound of these words. */
export function soundOf(...words) {
  return new Uint8Array(Int16Array.from({ length: words.length * WORD }, (_, at) => words[Math.floor(at / WORD)]).buffer);
}

/** How a word is written. One whose sound has another length than it should is marked. */
const written = (word, samples) => `w${word}${samples === WORD ? "" : `(${samples})`}`;

export const textOf = (...words) => words.map((word) => `w${word}`).join(" ");

export const numbers = (count, from = 1) => Array.from({ length: count }, (_, at) => at + from);

class Session {
  constructor(id, options) {
    Object.assign(this, { id, options, pieces: [], rest: Buffer.alloc(0), samples: 0, begun: 0, word: null, count: 0, events: [], readers: new Set(), status: "open", turns: 0, text: "" });
  }

  get facts() {
    const { audio_format, sample_rate, channels = 1 } = this.options;
    const format = audio_format === "pcm16" ? { audio_format, sample_rate, channels } : { audio_format: "auto", containers: ["webm"] };
    const ms = Math.round((this.samples * 1000) / (sample_rate ?? SAMPLE_RATE));
    return { id: this.id, object: "live.session", status: this.status, model: this.options.model ?? "m", created_at: 1, expires_at: 3601, ...format, max_piece_bytes: this.max ?? 1048576, next_seq: this.pieces.length, audio_ms: ms, transcribed_ms: ms, idle_timeout: 60 };
  }

  hear(bytes) {
    this.pieces.push(bytes);
    const all = Buffer.concat([this.rest, bytes]);
    for (let at = 0; at + 2 <= all.length; at += 2) this.sample(all.readInt16LE(at));
    this.rest = all.subarray(all.length - (all.length % 2));
  }

  sample(value) {
    if (value !== this.word || this.count === WORD) this.endWord();
    this.word = value;
    this.count++;
    this.samples++;
  }

  endWord() {
    const { word, count } = this;
    [this.word, this.count] = [null, 0];
    if (word === null || word === 0) return; // 0 is silence
    const [start, end] = [(this.samples - count) / SAMPLE_RATE, this.samples / SAMPLE_RATE];
    const error = this.fails?.(word);
    if (error) return this.emit({ type: "error", error: { message: "It failed.", type: "server_error", param: null, code: error, start, end } });
    this.say(this.write?.(word) ?? written(word, count), start, end);
  }

  say(text, start, end) {
    const segment_id = `seg_${this.turns++}`;
    const delta = `${this.text === "" ? "" : " "}${text}`;
    this.text += delta;
    // In two parts, as a model would that streams.
    for (const part of [delta.slice(0, 2), delta.slice(2)].filter(Boolean)) this.emit({ type: "transcript.text.delta", delta: part, segment_id });
    this.emit({ type: "transcript.text.segment", id: segment_id, start, end, text });
  }

  end(status = "ended") {
    if (this.status !== "open") return;
    this.endWord();
    this.status = status;
    const seconds = this.samples / (this.options.sample_rate ?? SAMPLE_RATE);
    this.emit({ type: "transcript.text.done", text: this.text, usage: { type: "duration", seconds }, duration: seconds });
    this.emit("[DONE]");
  }

  fail(code) {
    this.status = "failed";
    this.emit({ type: "error", error: { message: `It ends: ${code}.`, type: "server_error", param: null, code } });
  }

  emit(event) {
    this.events.push(event);
    for (const reader of this.readers) reader.advance();
  }
}

/** Makes a session hear the beeps of Chromium's microphone: what is loud for a while is a word, with its time. */
export function hearingBeeps() {
  let [loud, quiet] = [null, 0];
  return {
    sample(value) {
      const rate = this.options.sample_rate;
      this.samples++;
      const isLoud = Math.abs(value) > 1500;
      if (isLoud) loud ??= this.samples;
      quiet = isLoud ? 0 : quiet + 1;
      if (loud !== null && quiet > rate / 20) {
        this.say("beep", loud / rate, (this.samples - quiet) / rate);
        loud = null;
      }
    },
    endWord() {},
  };
}

/** `hooks` may have `on({method, path, route, seq, body, session, count})`, which answers or breaks a request: see `act`. */
export async function serveLive(hooks = {}) {
  const sessions = new Map();
  const all = [];
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const url = new URL(request.url, "http://server");
    const [, , , id, action] = url.pathname.split("/");
    const route = `${request.method} ${id ? "" : "open"}${action ?? (id ? "session" : "")}`;
    const facts = {
      route, id, method: request.method, body: Buffer.concat(chunks), token: request.headers.authorization?.slice(7) ?? null,
      seq: url.searchParams.has("seq") ? Number(url.searchParams.get("seq")) : null, after: url.searchParams.get("after"),
      session: sessions.get(id), type: request.headers["content-type"],
    };
    seen.push(facts);
    facts.count = seen.filter((one) => one.route === route).length;
    if (hooks.page?.(url.pathname, response)) return;
    const act = hooks.on?.(facts, { sessions, all }) ?? null;
    if (act === "break") return response.destroy();
    if (act === "hang") return;
    if (act?.status) return refuse(response, act.status, act.code, act);
    serve(facts, response, act);
    if (act === "serve and break") response.destroy();
  });

  function refuse(response, status, code, { headers = {}, ...more } = {}) {
    if (response.destroyed) return;
    const { status: _, code: __, ...error } = more;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { message: `No: ${code}.`, type: "server_error", param: null, code, ...error } }));
  }

  function answer(response, status, object) {
    if (response.destroyed) return;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(object === undefined ? "" : JSON.stringify(object));
  }

  function serve(facts, response, act) {
    const { route, body, seq } = facts;
    if (act === "serve and break") response.destroy();
    if (route === "POST open") {
      const session = new Session(`live_${all.length + 1}`, JSON.parse(body.toString()));
      Object.assign(session, hooks.session?.(session, all.length + 1));
      all.push(session);
      sessions.set(session.id, session);
      return answer(response, 201, session.facts);
    }
    const session = sessions.get(facts.id);
    if (!session) return refuse(response, 404, "live_session_not_found");
    if (route === "GET session") return answer(response, 200, session.facts);
    if (route === "GET events") return new Reader(session, facts.after, response, hooks);
    if (route === "DELETE session") {
      session.fail("live_session_deleted");
      sessions.delete(session.id);
      if (!response.destroyed) response.writeHead(204).end();
      return;
    }
    if (route === "POST end") {
      session.end();
      return answer(response, 202, session.facts);
    }
    if (seq > session.pieces.length) return refuse(response, 409, "live_wrong_seq", { next_seq: session.pieces.length });
    if (session.status !== "open") return refuse(response, 409, "live_session_ended");
    if (body.length === 0) return refuse(response, 400, "invalid_audio");
    if (seq === session.pieces.length) session.hear(body);
    else if (!session.pieces[seq].equals(body)) throw new Error("a piece was sent again with other bytes");
    answer(response, 202, { next_seq: session.pieces.length, audio_ms: session.facts.audio_ms });
  }

  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  /** Forgets a session, as a gateway does that was killed. */
  const lose = (session) => {
    sessions.delete(session.id);
    for (const reader of session.readers) reader.destroy();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, server, sessions, all, seen, lose, close };
}

/** One that reads the events of a session. `hooks.events` is the number of events after which its connection breaks. */
class Reader {
  constructor(session, after, response, hooks) {
    Object.assign(this, { session, response, hooks, at: after === null ? 0 : Number(after.slice(1)) + 1, sent: 0 });
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    session.readers.add(this);
    response.on("close", () => session.readers.delete(this));
    this.advance();
  }

  comment(text = "keep-alive") {
    this.response.write(`: ${text}\n\n`);
  }

  destroy() {
    this.response.destroy();
  }

  advance() {
    while (this.at < this.session.events.length) {
      if (this.sent === (this.hooks.events ?? Infinity)) return;
      const event = this.session.events[this.at];
      this.sent++;
      // What is written has to arrive before the connection breaks.
      const flushed = this.sent === this.hooks.events ? () => this.destroy() : undefined;
      this.response.write(`id: e${this.at}\ndata: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`, flushed);
      this.at++;
      if (event === "[DONE]" || (event.type === "error" && event.error.start === undefined)) return this.response.end();
    }
  }
}
