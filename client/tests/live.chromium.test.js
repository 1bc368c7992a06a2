// Live sessions in Chromium, with its made-up microphone, which beeps twice a second. Run by tests/api/client_module.rs, which
// gives the browser as CHROMIUM.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";

import { MICROPHONE, launch } from "../../tests/browser/browser.mjs";
import { hearingBeeps, serveLive } from "./live-server.js";

const folder = new URL("../", import.meta.url);

let browser;
before(async () => {
  browser = await launch(...MICROPHONE);
});
after(() => browser.close());

/** A server with an empty page, the module, and live sessions. The page's policy is the one of the console. */
async function serving(t, hooks = {}, policy = "default-src 'none'; script-src 'self'; connect-src 'self'") {
  const server = await serveLive({
    session: hearingBeeps,
    ...hooks,
    page(path, response) {
      const type = { "content-type": "text/javascript" };
      if (path === "/page") response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy }).end("<!doctype html><title>Test</title>");
      else if (path.startsWith("/voxgate")) response.writeHead(200, type).end(fs.readFileSync(new URL(`.${path}`, folder)));
      else return false;
      return true;
    },
  });
  t.after(server.close);
  return server;
}

/** Opens the page, which notes what its session tells. */
async function open(server, setUp = () => {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => /Content Security Policy/.test(message.text()) && page.errors.push(message.text()));
  await page.goto(`${server.url}/page`);
  await page.evaluate(setUp);
  await page.evaluate(async () => {
    const { live } = await import("/voxgate.js");
    const { getUserMedia } = MediaDevices.prototype;
    window.microphones = [];
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const microphone = await getUserMedia.call(navigator.mediaDevices, wish);
      window.microphones.push(microphone);
      return microphone;
    };
    window.captured = [];
    const Node = window.AudioWorkletNode;
    if (Node) {
      window.AudioWorkletNode = class extends Node {
        constructor(...given) {
          super(...given);
          this.port.addEventListener("message", ({ data }) => data && captured.push(data));
        }
      };
    }
    window.released = () => window.microphones.every((microphone) => microphone.getTracks().every(({ readyState }) => readyState === "ended"));
    window.listen = async (options = {}) => {
      window.told = { deltas: [], segments: [], errors: [], states: [], levels: [] };
      window.session = await live({
        onDelta: (delta) => told.deltas.push(delta),
        onSegment: ({ id, start, end, text }) => told.segments.push({ id, start, end, text }),
        onError: ({ code, start, end }) => told.errors.push({ code, start, end }),
        onState: (state) => told.states.push(state),
        onLevel: (level) => told.levels.push(level),
        ...options,
      });
    };
  });
  return page;
}

const until = (page, isTrue, given) => page.waitForFunction(isTrue, given, { timeout: 60_000 });
const words = (page, count) => until(page, (count) => told.segments.length >= count, count);

/** All samples of the microphone, as the page got them. */
async function captured(page) {
  const url = await page.evaluate(async () => {
    const reader = new FileReader();
    const read = new Promise((resolve) => (reader.onload = resolve));
    reader.readAsDataURL(new Blob(captured));
    await read;
    return reader.result;
  });
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

test("words come while the microphone hears them, and the network may be away", async (t) => {
  const server = await serving(t);
  const page = await open(server);
  await page.evaluate(() => listen({ token: "a-token", model: "m" }));
  await words(page, 2);
  assert.deepEqual(await page.evaluate(() => [told.errors, session.state, released()]), [[], "listening", false]);
  await page.context().setOffline(true);
  await until(page, () => session.state === "reconnecting" && session.unsent >= 5);
  await page.context().setOffline(false);
  await until(page, () => session.state === "listening" && session.unsent < 1);
  const before = await page.evaluate(() => told.segments.length);
  await words(page, before + 3);
  const got = await page.evaluate(async () => ({ done: await session.stop(), text: session.textSoFar, ...told, released: released(), level: session.level }));
  assert.equal(got.done.text, got.segments.map(({ text }) => text).join(" "));
  assert.deepEqual([got.text, got.deltas.join("")], [got.done.text, got.done.text]);
  assert.deepEqual([got.states, got.released, got.level], [["listening", "reconnecting", "listening", "ending", "ended"], true, 0]);
  assert.ok(Math.max(...got.levels) > 0.3);
  const [session] = server.all;
  assert.equal(server.all.length, 1);
  assert.deepEqual(session.options, { model: "m", audio_format: "pcm16", sample_rate: 16000, channels: 1 });
  const sound = await captured(page);
  assert.ok(sound.length > 6 * 32_000 && Buffer.concat(session.pieces).equals(sound), "all sound came, once and in order");
  const sizes = server.seen.filter(({ route }) => route === "POST audio").map(({ body }) => body.length);
  assert.ok(Math.max(...sizes) >= 100_000, "what was kept is sent in large pieces");
  assert.deepEqual(page.errors, []);
});

test("a session that is lost while the microphone is on is followed by another one", async (t) => {
  const server = await serving(t);
  const page = await open(server);
  await page.evaluate(async () => {
    // Each word is a turn.
    (await import("/voxgate/shared.js")).LIMITS.turn = 0;
    await listen();
  });
  await words(page, 3);
  server.lose(server.all[0]);
  await until(page, () => session.id === "live_2");
  await words(page, 7);
  const { done, segments } = await page.evaluate(async () => ({ done: await session.stop(), ...told }));
  const sound = await captured(page);
  const [first, second] = server.all.map(({ pieces }) => Buffer.concat(pieces));
  assert.ok(first.equals(sound.subarray(0, first.length)));
  assert.ok(second.equals(sound.subarray(sound.length - second.length)));
  // It begins where the last word of the first one ends.
  const ends = segments.map(({ end }) => Math.round(end * 16_000) * 2);
  assert.ok(ends.includes(sound.length - second.length), `${sound.length - second.length}: ${ends}`);
  assert.equal(done.text, segments.map(({ text }) => text).join(" "));
  assert.deepEqual(page.errors, []);
});

test("every way to end releases the microphone, but not a stream of the page's own", async (t) => {
  const server = await serving(t);
  const page = await open(server);
  const got = await page.evaluate(async () => {
    const outcome = (promise) => promise.then(({ type }) => type, (error) => error?.name ?? error);
    const results = {};
    const note = async (way) => (results[way] = [await outcome(session.result), released(), session.state]);
    await listen();
    session.cancel();
    await note("cancelled");
    const outside = new AbortController();
    await listen({ signal: outside.signal });
    outside.abort("enough");
    await note("signalled");
    await listen();
    // One that is pulled out.
    const [track] = microphones.at(-1).getTracks();
    track.stop();
    track.dispatchEvent(new Event("ended"));
    await note("unplugged");
    const context = new AudioContext();
    const { stream } = context.createMediaStreamDestination();
    await listen({ stream });
    session.stop();
    await note("own stream");
    results.own = stream.getTracks().map(({ readyState }) => readyState);
    results.refused = await listen({ url: location.origin + "/nowhere" }).catch(({ status }) => [status, released()]);
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("No.", "NotAllowedError"));
    results.denied = await listen().catch(({ code }) => code);
    return results;
  });
  const done = "transcript.text.done";
  assert.deepEqual(got, {
    cancelled: ["AbortError", true, "ended"],
    signalled: ["enough", true, "ended"],
    unplugged: [done, true, "ended"],
    "own stream": [done, true, "ended"],
    own: ["live"],
    refused: [404, true],
    denied: "microphone_denied",
  });
  assert.deepEqual(page.errors, []);
});

test("where the file of the processor cannot be loaded, its text is", async (t) => {
  const server = await serving(t, {}, "script-src 'self' blob:");
  const page = await open(server);
  await page.evaluate(() => {
    const { addModule } = AudioWorklet.prototype;
    window.addresses = [];
    AudioWorklet.prototype.addModule = function (address) {
      addresses.push(new URL(address).protocol);
      // As a bundler would leave it.
      return addModule.call(this, address.startsWith("http") ? "/nothing.js" : address);
    };
  });
  await page.evaluate(() => listen());
  await words(page, 3);
  assert.deepEqual(await page.evaluate(() => addresses), ["http:", "blob:"]);
  assert.equal(server.all[0].options.audio_format, "pcm16");
});

/** A server's session that takes a recording, and whose words are made up by the test. */
function recording() {
  return {
    hear(bytes) {
      this.pieces.push(bytes);
      this.samples += 2000; // a quarter of a second
    },
    speak: ["one", "two", "three"].map((text, at) => ({ text, start: at, end: at + 1 })),
    tell(count) {
      for (const { text, start, end } of this.speak.slice(this.turns, count)) this.say(text, start, end);
    },
  };
}

test("without AudioWorklet a recording is sent, and once more from its beginning when its session is lost", async (t) => {
  const server = await serving(t, { session: recording });
  const page = await open(server, () => delete window.AudioWorkletNode);
  await page.evaluate(() => listen());
  const took = async (session, count) => {
    while (!(server.all[session]?.pieces.length >= count)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await took(0, 4);
  assert.deepEqual(server.all[0].options, { audio_format: "auto" });
  server.all[0].tell(2);
  await words(page, 2);
  server.lose(server.all[0]);
  await took(1, 1);
  // It hears the same as before, and more.
  server.all[1].tell(3);
  await words(page, 3);
  const { done, segments, deltas } = await page.evaluate(async () => ({ done: await session.stop(), ...told, released: released() }));
  assert.deepEqual([done.text, deltas.join("")], ["one two three", "one two three"]);
  assert.deepEqual(segments.map(({ text, start }) => [text, start]), [["one", 0], ["two", 1], ["three", 2]]);
  const [first, second] = server.all.map(({ pieces }) => Buffer.concat(pieces));
  assert.equal(first.readUInt32BE(0), 0x1a45dfa3, "it is WebM");
  assert.deepEqual(second.subarray(0, first.length), first);
  assert.ok(second.length > first.length);
  assert.deepEqual(page.errors, []);
});

test("a recording that is not kept any more begins anew, and what is missing is told", async (t) => {
  const server = await serving(t, { session: recording });
  const page = await open(server, () => delete window.AudioWorkletNode);
  await page.evaluate(async () => {
    (await import("/voxgate/shared.js")).LIMITS.recordingBytes = 1;
    await listen();
  });
  const took = async (session, count) => {
    while (!(server.all[session]?.pieces.length >= count)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await took(0, 5);
  server.all[0].tell(1);
  await words(page, 1);
  server.lose(server.all[0]);
  await took(1, 2);
  server.all[1].tell(1);
  await words(page, 2);
  const { segments, errors } = await page.evaluate(async () => ({ done: await session.stop(), ...told }));
  assert.equal(server.all[1].pieces[0].readUInt32BE(0), 0x1a45dfa3, "it has a header of its own");
  const [{ code, start, end }] = errors;
  assert.deepEqual([code, start, errors.length], ["live_audio_lost", 1, 1]);
  assert.equal(segments[1].start, end, "times go on");
  assert.ok(end > 1);
  assert.deepEqual(page.errors, []);
});
