// Live sessions: what goes up, what is told, and what happens when something breaks. Run by tests/api/client_module.rs.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";

import { VoxgateError, live } from "../voxgate.js";
import { LIMITS } from "../voxgate/shared.js";
import { failure } from "./answers.js";
import { SAMPLE_RATE, WORD_SECONDS, numbers, serveLive, soundOf, textOf } from "./live-server.js";

const servers = [];
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));
const before = { ...LIMITS };

afterEach(() => {
  Object.assign(LIMITS, before);
  for (const server of servers.splice(0)) server.close();
});
after(() => assert.deepEqual(unhandled, []));

/** A server whose module waits only moments. */
async function serving(hooks) {
  Object.assign(LIMITS, { batch: 0.02, firstWait: 0.01, longestWait: 0.05, turn: 0 });
  const server = await serveLive(hooks);
  servers.push(server);
  return server;
}

/** Sound that is given by hand. */
function microphone() {
  const queue = [];
  let wake = () => {};
  const give = (item) => (queue.push(item), wake());
  const source = {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
        const item = queue.shift();
        if (item === null) return;
        yield item;
      }
    },
  };
  return { source, says: (...words) => give(soundOf(...words)), ends: () => give(null) };
}

/** Opens a session and notes what it tells. */
async function listen(url, options = {}) {
  const told = { deltas: [], segments: [], errors: [], states: [], events: [] };
  let waiting = [];
  const note = (list) => (item) => {
    list.push(item);
    for (const check of waiting) check();
  };
  const session = await live({
    url, sampleRate: SAMPLE_RATE,
    onDelta: note(told.deltas), onSegment: note(told.segments), onError: note(told.errors), onState: note(told.states), onEvent: note(told.events),
    ...options,
  });
  /** Waits until `isTrue`, which is asked again at all that is told. */
  const until = (isTrue) =>
    new Promise((resolve) => {
      const check = () => {
        if (!isTrue()) return;
        waiting = waiting.filter((one) => one !== check);
        resolve();
      };
      waiting.push(check);
      check();
    });
  const words = () => told.segments.map(({ text }) => text);
  return { session, told, until, words };
}

/** Says words, ends, and expects all of them, in one flow and with the times at which they were said. */
async function hears(server, words, options = {}) {
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source, ...options });
  for (const word of words) mouth.says(word);
  mouth.ends();
  const done = await heard.session.result;
  expect(heard, words, done);
  return { ...heard, done };
}

function expect({ told, session }, words, done) {
  assert.equal(done.text, textOf(...words));
  assert.equal(told.deltas.join(""), done.text);
  assert.equal(session.textSoFar, done.text);
  assert.deepEqual(told.segments.map(({ text, start, end }) => [text, time(start), time(end)]), timesOf(words));
  assert.equal(new Set(told.segments.map(({ id }) => id)).size, words.length, "ids are unique");
  assert.equal(told.events.at(-1), done);
  assert.deepEqual([told.states.at(-1), session.state], ["ended", "ended"]);
}

/** Waits for what nobody tells. */
async function eventually(isTrue) {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const time = (seconds) => seconds.toFixed(3);
const timesOf = (words) => words.map((word, at) => [`w${word}`, time(at * WORD_SECONDS), time((at + 1) * WORD_SECONDS)]);

test("sound goes up in pieces, and words come while it does", { timeout: 20_000 }, async () => {
  const server = await serving();
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source, token: "a-token", model: "m", language: "en", prompt: "P", keywords: ["K"] });
  const { session, told } = heard;
  assert.deepEqual([session.id, session.state], ["live_1", "listening"]);
  const options = JSON.parse(server.seen[0].body);
  assert.deepEqual(options, { model: "m", language: "en", prompt: "P", keywords: ["K"], audio_format: "pcm16", sample_rate: SAMPLE_RATE, channels: 1 });
  mouth.says(1, 2);
  await heard.until(() => told.deltas.join("") === "w1" && told.segments.length === 1);
  assert.equal(session.textSoFar, "w1");
  mouth.says(3);
  await heard.until(() => told.segments.length === 2);
  const done = await session.stop();
  expect(heard, [1, 2, 3], done);
  assert.deepEqual(done.usage, { type: "duration", seconds: 0.15 });
  assert.equal(time(done.duration), time(3 * WORD_SECONDS));
  const pieces = server.seen.filter(({ route }) => route === "POST audio");
  assert.deepEqual(pieces.map(({ seq }) => seq), pieces.map((_, at) => at));
  assert.ok(server.seen.every(({ token }) => token === "a-token"));
  assert.equal(session.unsent, 0);
  assert.equal(session.stop(), session.result, "again it changes nothing");
});

test("small bits are sent together, and much sound in pieces that the gateway takes", { timeout: 20_000 }, async () => {
  const server = await serving({ session: () => ({ max: 1000 }) });
  const sound = soundOf(...numbers(20));
  const bits = Array.from({ length: sound.length }, (_, at) => sound.subarray(at, at + 1));
  const heard = await listen(server.url, { source: bits });
  expect(heard, numbers(20), await heard.session.result);
  const sizes = server.all[0].pieces.map((piece) => piece.length);
  assert.ok(Math.max(...sizes) === 1000 && sizes.length < 30, String(sizes));
});

test("streams, arrays and iterables of bytes are sources", { timeout: 20_000 }, async () => {
  const server = await serving();
  const words = [soundOf(1), soundOf(2)];
  const samples = words.map(({ buffer }) => new Int16Array(buffer));
  for (const source of [ReadableStream.from(words), words, samples, words.map(({ buffer }) => buffer)]) {
    const heard = await listen(server.url, { source });
    expect(heard, [1, 2], await heard.session.result);
  }
  for (const wrong of [{ source: words, sampleRate: undefined }, { source: 7 }, { source: null }]) {
    assert.equal((await failure(live({ url: server.url, sampleRate: SAMPLE_RATE, ...wrong }))).code, "invalid_audio");
  }
  const mine = new Error("the source failed");
  const broken = async function* () {
    yield words[0];
    throw mine;
  };
  assert.equal(await failure(listen(server.url, { source: broken() }).then(({ session }) => session.result)), mine);
});

test("what cannot be opened is told at once", { timeout: 20_000 }, async () => {
  const cases = [[404, "live_disabled"], [400, "unsupported_value"], [403, "insufficient_scope"], [500, "internal_error"], [401, "invalid_token"]];
  for (const [status, code] of cases) {
    const server = await serving({ on: () => ({ status, code }) });
    const error = await failure(live({ url: server.url, source: [soundOf(1)], sampleRate: SAMPLE_RATE }));
    assert.ok(error instanceof VoxgateError);
    assert.deepEqual([error.status, error.code, error.maybeCharged, server.seen.length], [status, code, false, 1]);
  }
  const gone = await serving();
  gone.close();
  assert.equal((await failure(live({ url: gone.url, source: [], sampleRate: SAMPLE_RATE }))).code, "connection_lost");
});

test("a gateway that is busy is asked again", { timeout: 20_000 }, async () => {
  const server = await serving({ on: ({ route, count }) => route === "POST open" && count < 3 && { status: 503, code: "overloaded", headers: { "retry-after-ms": "1" } } });
  await hears(server, [1, 2]);
});

test("each request may fail, before and after it is served, and nothing is lost or told twice", { timeout: 20_000 }, async () => {
  const failures = [
    "break", "serve and break",
    { status: 500, code: "internal_error" },
    { status: 503, code: "overloaded", headers: { "retry-after": "0" } },
    { status: 429, code: "rate_limit_exceeded", headers: { "retry-after-ms": "5" } },
    { status: 429, code: "live_too_far_ahead", headers: { "retry-after-ms": "5" } },
  ];
  for (const fails of failures) {
    let last = null;
    // Each piece, each stream of events and the end fail once.
    const on = ({ route, seq, after }) => {
      if (!["POST audio", "POST end", "GET events"].includes(route)) return null;
      const name = `${route} ${seq} ${after}`;
      if (last === name || tried.has(name)) return null;
      tried.add((last = name));
      return fails;
    };
    const tried = new Set();
    const server = await serving({ on });
    const { done } = await hears(server, numbers(12));
    assert.equal(server.all.length, 1, JSON.stringify(fails));
    assert.equal(done.usage.seconds.toFixed(2), (12 * WORD_SECONDS).toFixed(2));
  }
});

test("a reader whose connection breaks after each event goes on behind it", { timeout: 20_000 }, async () => {
  for (const events of [1, 2, 3]) {
    const server = await serving({ events });
    await hears(server, numbers(8));
    const readers = server.seen.filter(({ route }) => route === "GET events");
    assert.ok(readers.length >= 24 / events, String(readers.length));
    assert.deepEqual([readers[0].after, readers[1].after], [null, `e${events - 1}`]);
  }
});

test("a stream of events that is silent is opened anew", { timeout: 20_000 }, async () => {
  const server = await serving({ on: ({ route, count }) => (route === "GET events" && count < 3 ? "hang" : null) });
  LIMITS.silence = 0.1;
  await hears(server, [1, 2, 3]);
  assert.ok(server.seen.filter(({ route }) => route === "GET events").length >= 3);
});

test("a piece that gets no answer is sent again", { timeout: 20_000 }, async () => {
  const server = await serving({ on: ({ route, seq, count }) => (route === "POST audio" && count < 3 ? "hang" : null) });
  LIMITS.answer = 0.1;
  const { told } = await hears(server, [1, 2, 3]);
  assert.ok(told.states.includes("reconnecting"));
});

test("sound is kept while the network is away, and catches up", { timeout: 20_000 }, async () => {
  let isAway = false;
  const server = await serving({ on: () => (isAway ? "break" : null) });
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  mouth.says(1, 2);
  await heard.until(() => heard.told.segments.length === 1);
  isAway = true;
  for (const reader of server.all[0].readers) reader.destroy();
  for (const word of numbers(100, 3)) mouth.says(word);
  await heard.until(() => heard.told.states.includes("reconnecting") && heard.session.unsent > 4);
  const before = server.all[0].pieces.length;
  isAway = false;
  await heard.until(() => heard.told.states.at(-1) === "listening");
  mouth.ends();
  expect(heard, numbers(102), await heard.session.result);
  assert.ok(server.all[0].pieces.length - before <= 4, "it is sent in large pieces");
  assert.equal(server.all.length, 1);
});

test("a gateway that stays away ends the session, with what was heard", { timeout: 20_000 }, async () => {
  let isAway = false;
  const server = await serving({ on: () => (isAway ? "break" : null) });
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source, maxUnsent: 0.3 });
  mouth.says(1, 2);
  await heard.until(() => heard.told.segments.length === 1);
  isAway = true;
  for (const reader of server.all[0].readers) reader.destroy();
  mouth.says(3);
  const error = await failure(heard.session.result);
  assert.deepEqual([error.code, error.partial, error.maybeCharged], ["connection_lost", { text: "w1" }, true]);
  assert.equal(heard.told.errors.at(-1), error);
  assert.equal(heard.session.state, "ended");
});

test("a source of the page's own waits while the gateway takes nothing", { timeout: 20_000 }, async () => {
  let isAway = true;
  const server = await serving({ on: ({ route }) => (isAway && route === "POST audio" ? { status: 429, code: "rate_limit_exceeded" } : null) });
  let given = 0;
  const source = async function* () {
    for (const word of numbers(100)) {
      given++;
      yield soundOf(word);
    }
  };
  const heard = await listen(server.url, { source: source(), maxUnsent: 1 });
  await heard.until(() => heard.told.states.includes("waiting"));
  assert.ok(given <= 1 / WORD_SECONDS + 1, String(given));
  isAway = false;
  expect(heard, numbers(100), await heard.session.result);
});

test("a lost session is replaced at any time, and nothing is lost or told twice", { timeout: 20_000 }, async () => {
  // Lost before each request of another kind, and each number of events.
  for (const route of ["POST audio", "GET events", "POST end"]) {
    for (const at of [1, 2, 3]) {
      let isLost = false;
      const server = await serving({
        on: (facts, { sessions }) => {
          if (!isLost && facts.route === route && facts.count === at) isLost = sessions.delete(facts.id);
        },
        events: route === "GET events" ? 2 : Infinity,
      });
      const { told } = await hears(server, numbers(10), { maxRetryWait: 0 });
      if (isLost) assert.equal(server.all.length, 2, `${route} ${at}`);
      const others = told.events.filter(({ type }) => type === "voxgate.session");
      assert.deepEqual(others.map(({ id, error }) => [id, error.code]), isLost ? [["live_2", "live_session_not_found"]] : []);
    }
  }
});

test("sessions are lost again and again, and the words go on", { timeout: 20_000 }, async () => {
  let server;
  server = await serving();
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  for (const word of numbers(12)) {
    mouth.says(word);
    await heard.until(() => heard.told.segments.length >= word - 1);
    server.lose(server.all.at(-1));
  }
  mouth.ends();
  expect(heard, numbers(12), await heard.session.result);
  assert.ok(server.all.length >= 10, String(server.all.length));
});

test("words of a turn that was lost half way are not told twice", { timeout: 20_000 }, async () => {
  for (const [second, expected] of [["hello there", "hello there"], ["hello world", "hello there world"], ["hi", "hello there hi"]]) {
    const server = await serving({
      session: (_, number) => ({
        write: () => (number === 1 ? "hello there" : second),
        emit(event) {
          // The segment never comes: the session is lost before it.
          if (number > 1 || event.type !== "transcript.text.segment") Object.getPrototypeOf(this).emit.call(this, event);
        },
      }),
    });
    const mouth = microphone();
    const heard = await listen(server.url, { source: mouth.source });
    mouth.says(1, 0);
    await heard.until(() => heard.session.textSoFar === "hello there");
    server.lose(server.all[0]);
    await heard.until(() => server.all.length === 2 && heard.session.id === "live_2");
    mouth.ends();
    const { text } = await heard.session.result;
    assert.deepEqual([text, heard.told.deltas.join("")], [expected, expected]);
  }
});

test("a turn of which only the first words came is sent again as a whole", { timeout: 20_000 }, async () => {
  const server = await serving();
  LIMITS.turn = 1;
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  mouth.says(...Array(20).fill(0), 1, 2, 3);
  await heard.until(() => heard.told.segments.length === 2);
  // The last one was on its way.
  server.lose(server.all[0]);
  mouth.says(4);
  mouth.ends();
  const done = await heard.session.result;
  assert.equal(done.text, "w1 w2 w3 w4");
  assert.equal(heard.told.deltas.join(""), done.text);
  assert.deepEqual(heard.told.segments.map(({ text, start }) => [text, time(start)]), numbers(4, 21).map((at) => [`w${at - 20}`, time((at - 1) * WORD_SECONDS)]));
  // From half a second before the turn on.
  assert.equal(server.all[1].samples, (10 + 4) * 400);
});

test("errors that pass open another session, and others end it", { timeout: 20_000 }, async () => {
  for (const code of ["internal_error", "store_unavailable", "live_log_full", "live_session_lost", "live_session_ended", "overloaded"]) {
    const server = await serving();
    const mouth = microphone();
    const heard = await listen(server.url, { source: mouth.source });
    mouth.says(1, 2);
    await heard.until(() => heard.told.segments.length === 1);
    server.all[0].fail(code);
    await heard.until(() => heard.session.id === "live_2");
    mouth.says(3);
    mouth.ends();
    expect(heard, [1, 2, 3], await heard.session.result);
    assert.deepEqual(heard.told.errors, []);
  }
  for (const code of ["insufficient_quota", "invalid_token", "live_too_far_ahead", "live_session_deleted", "invalid_audio"]) {
    const server = await serving();
    const mouth = microphone();
    const heard = await listen(server.url, { source: mouth.source });
    mouth.says(1, 2);
    await heard.until(() => heard.told.segments.length === 1);
    server.all[0].fail(code);
    const error = await failure(heard.session.result);
    assert.deepEqual([error.code, error.partial, heard.told.errors], [code, { text: "w1" }, [error]]);
    assert.equal(server.all.length, 1);
  }
});

test("a refusal for good ends the session, at a piece and when another session is opened", { timeout: 20_000 }, async () => {
  const refusal = { status: 429, code: "insufficient_quota", headers: { "retry-after": "1", "x-should-retry": "false" } };
  for (const refused of [refusal, { status: 400, code: "invalid_audio" }, { status: 413, code: "file_too_large" }, { status: 403, code: "insufficient_scope" }]) {
    for (const route of ["POST audio", "POST open"]) {
      const server = await serving({ on: (facts, { all }) => (facts.route === route && all.length > 0 && all[0].pieces.length > 0 ? refused : null) });
      const mouth = microphone();
      const heard = await listen(server.url, { source: mouth.source });
      mouth.says(1, 2);
      await heard.until(() => heard.told.segments.length === 1);
      if (route === "POST open") server.lose(server.all[0]);
      mouth.says(3);
      const error = await failure(heard.session.result);
      assert.deepEqual([error.code, error.partial, heard.told.errors], [refused.code, { text: "w1" }, [error]]);
    }
  }
});

test("sessions that are lost without a word in between are not opened for ever", { timeout: 20_000 }, async () => {
  const server = await serving({ on: ({ route }) => (route === "POST audio" ? { status: 404, code: "live_session_not_found" } : null) });
  const error = await failure(live({ url: server.url, source: [soundOf(1)], sampleRate: SAMPLE_RATE }).then(({ result }) => result));
  assert.deepEqual([error.code, server.all.length], ["live_session_not_found", 1 + LIMITS.losses]);
});

test("a gateway that fails for long is left for another session", { timeout: 20_000 }, async () => {
  for (const route of ["POST audio", "GET events"]) {
    const server = await serving({ on: (facts) => (facts.route === route && facts.id === "live_1" ? { status: 502, code: "bad_gateway" } : null) });
    LIMITS.failing = 0.2;
    await hears(server, [1, 2, 3]);
    assert.ok(server.seen.some(({ method, id }) => method === "DELETE" && id === "live_1"), "its place is free again");
  }
});

test("a session that ends by itself is followed by another one, and usage is added up", { timeout: 20_000 }, async () => {
  const server = await serving();
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  mouth.says(1, 2, 3);
  await heard.until(() => heard.told.segments.length === 2);
  server.all[0].end();
  await heard.until(() => heard.told.segments.length === 3);
  assert.equal(server.all.length, 1, "without sound there is no session");
  mouth.says(4, 5);
  mouth.ends();
  const done = await heard.session.result;
  expect(heard, numbers(5), done);
  assert.equal(server.all.length, 2);
  assert.deepEqual(done.usage, { type: "duration", seconds: 5 * WORD_SECONDS });
  assert.equal(time(done.duration), time(5 * WORD_SECONDS));
});

test("a gap is filled from where the gateway stands", { timeout: 20_000 }, async () => {
  let isForgetful = false;
  const server = await serving({
    on: ({ route, seq, session }) => {
      // It has forgotten two pieces, as a gateway might that had not written them yet.
      if (route !== "POST audio" || seq !== 6 || isForgetful) return;
      isForgetful = true;
      session.pieces.splice(4);
      session.samples = session.pieces.reduce((sum, { length }) => sum + length, 0) / 2;
      session.count = session.samples % 400;
    },
    session: () => ({ max: 100, write: () => "w" }),
  });
  const heard = await listen(server.url, { source: [soundOf(0, 0, 1)] });
  await heard.session.result;
  const seqs = server.seen.filter(({ route }) => route === "POST audio").map(({ seq }) => seq);
  assert.deepEqual(seqs.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
  assert.deepEqual(Buffer.concat(server.all[0].pieces), Buffer.from(soundOf(0, 0, 1)));
});

test("an expired token is renewed, and asked for once", { timeout: 20_000 }, async () => {
  let valid = "token-1";
  const asked = [];
  const server = await serving({ on: ({ token }) => (token === valid ? null : { status: 401, code: "token_expired" }) });
  const mouth = microphone();
  const token = ({ renew }) => (asked.push(renew), Promise.resolve(`token-${asked.length}`));
  const heard = await listen(server.url, { source: mouth.source, token });
  mouth.says(1, 2);
  await heard.until(() => heard.told.segments.length === 1);
  valid = "token-2";
  mouth.says(3, 4);
  await heard.until(() => heard.told.segments.length === 3);
  for (const reader of server.all[0].readers) reader.destroy();
  mouth.says(5);
  mouth.ends();
  expect(heard, numbers(5), await heard.session.result);
  assert.deepEqual(asked, [false, true]);
  // One that is refused for good ends the session.
  const other = await serving({ on: ({ route }) => (route === "POST audio" ? { status: 401, code: "invalid_token" } : null) });
  const error = await failure((await live({ url: other.url, source: [soundOf(1)], sampleRate: SAMPLE_RATE, token })).result);
  assert.deepEqual([error.code, other.all.length], ["invalid_token", 1]);
});

test("a turn that failed is told with its times, and the session goes on", { timeout: 20_000 }, async () => {
  const server = await serving({ session: () => ({ fails: (word) => word === 2 && "provider_error" }) });
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  mouth.says(1, 2, 3);
  await heard.until(() => heard.told.errors.length === 1);
  // What failed is not sent again.
  server.lose(server.all[0]);
  mouth.says(4);
  mouth.ends();
  const done = await heard.session.result;
  assert.equal(done.text, "w1 w3 w4");
  const [error, ...others] = heard.told.errors;
  assert.ok(error instanceof VoxgateError);
  assert.deepEqual([error.code, time(error.start), time(error.end), others], ["provider_error", time(WORD_SECONDS), time(2 * WORD_SECONDS), []]);
  assert.deepEqual(heard.told.segments.map(({ text, start }) => [text, time(start)]), [["w1", "0.000"], ["w3", time(2 * WORD_SECONDS)], ["w4", time(3 * WORD_SECONDS)]]);
});

test("silence is not kept once the gateway has transcribed it", { timeout: 20_000 }, async () => {
  const server = await serving();
  LIMITS.quiet = 0;
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source });
  mouth.says(1, ...Array(9).fill(0));
  await heard.until(() => heard.told.segments.length === 1);
  const comment = async () => {
    const asked = server.seen.filter(({ route }) => route === "GET session").length;
    for (const reader of server.all[0].readers) reader.comment();
    await eventually(() => server.seen.filter(({ route }) => route === "GET session").length > asked);
  };
  await eventually(() => server.all[0].samples === 10 * 400);
  // The second one would do, if the answer to the first one's question never was slower than the next comment.
  for (const _ of numbers(4)) await comment();
  server.lose(server.all[0]);
  mouth.says(2);
  mouth.ends();
  const done = await heard.session.result;
  assert.equal(done.text, "w1 w2");
  assert.equal(server.all[1].samples, 400, "what was silent is not sent again");
  assert.deepEqual(heard.told.segments.map(({ start }) => time(start)), ["0.000", time(10 * WORD_SECONDS)]);
});

test("sound that is not kept any more is told as missing", { timeout: 20_000 }, async () => {
  const server = await serving({ session: (_, number) => (number === 1 ? { endWord() {} } : {}) });
  LIMITS.kept = 4 * WORD_SECONDS;
  const mouth = microphone();
  const heard = await listen(server.url, { source: mouth.source, maxUnsent: 60 });
  for (const word of numbers(10)) {
    mouth.says(word);
    await eventually(() => server.all[0].samples === word * 400 && heard.session.unsent < 0.001);
  }
  server.lose(server.all[0]);
  mouth.says(11);
  mouth.ends();
  const { text } = await heard.session.result;
  const [error] = heard.told.errors;
  assert.deepEqual([error.code, error.start, time(error.end)], ["live_audio_lost", 0, time(6 * WORD_SECONDS)]);
  assert.equal(text, "w7 w8 w9 w10 w11");
  assert.equal(time(heard.told.segments[0].start), time(6 * WORD_SECONDS));
});

test("between sessions there is a space, where the script has one", { timeout: 20_000 }, async () => {
  for (const [word, text] of [["ok", "ok ok"], ["好", "好好"], [" ok", " ok ok"]]) {
    const server = await serving({ session: () => ({ write: () => word }) });
    const mouth = microphone();
    const heard = await listen(server.url, { source: mouth.source });
    mouth.says(1, 0);
    await heard.until(() => heard.told.segments.length === 1);
    server.lose(server.all[0]);
    mouth.says(2);
    mouth.ends();
    assert.equal((await heard.session.result).text, text);
  }
});

test("cancelling ends everything and frees the session", { timeout: 20_000 }, async () => {
  for (const way of ["cancel", "signal"]) {
    const server = await serving();
    const mouth = microphone();
    const outside = new AbortController();
    const heard = await listen(server.url, { source: mouth.source, signal: outside.signal });
    mouth.says(1, 2);
    await heard.until(() => heard.told.segments.length === 1);
    if (way === "cancel") heard.session.cancel("enough");
    else outside.abort("enough");
    assert.equal(await failure(heard.session.result), "enough");
    await eventually(() => server.seen.some(({ method }) => method === "DELETE"));
    assert.deepEqual([heard.session.state, heard.told.errors, server.sessions.size], ["ended", [], 0]);
  }
  const server = await serving();
  assert.equal(await failure(live({ url: server.url, source: [], sampleRate: SAMPLE_RATE, signal: AbortSignal.abort("before") })), "before");
  assert.equal(server.seen.length, 0);
});

test("whatever fails and whenever, all words come once and in order", { timeout: 120_000 }, async () => {
  for (const seed of numbers(25)) {
    let state = seed;
    let served = null;
    const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const ways = [
      "break", "serve and break", "lose", "end",
      { status: 500, code: "internal_error" }, { status: 502 }, { status: 503, code: "overloaded", headers: { "retry-after-ms": "1" } },
      { status: 429, code: "rate_limit_exceeded", headers: { "retry-after-ms": "1" } }, { status: 401, code: "token_expired" },
    ];
    const server = await serving({
      on: ({ route, session, count, token }) => {
        const isNew = token !== served;
        served = token;
        if (random() > 0.3 || (route === "POST open" && count === 1)) return null;
        const way = ways[Math.floor(random() * ways.length)];
        if (way === "lose" && session) server.lose(session);
        if (way === "end") session?.end();
        // A token that was renewed just now serves once.
        if (way.status === 401 && isNew) return null;
        return typeof way === "string" && !way.includes("break") ? null : way;
      },
    });
    LIMITS.losses = 30;
    // All words together are one turn, or each one is.
    LIMITS.turn = seed % 2;
    try {
      await hears(server, numbers(40), { token: () => "a-token-" + random() });
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});
