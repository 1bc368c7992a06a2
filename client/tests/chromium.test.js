// The module in Chromium: XMLHttpRequest, and the microphone (a made-up one that beeps). Run by tests/api/client_module.rs,
// which gives GATEWAY, TOKEN and TRANSCRIPT, and the browser as CHROMIUM.

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import { after, before, test } from "node:test";

import { MICROPHONE, launch } from "../../tests/browser/browser.mjs";
import { DELTAS, EVENTS, SERVED, TEXT, frame, refusal, serve } from "./answers.js";

const { GATEWAY, TOKEN, TRANSCRIPT } = process.env;
const MODULE = fs.readFileSync(new URL("../voxgate.js", import.meta.url));
const PAGE = { contentType: "text/html", body: "<!doctype html><title>Test</title>" };

let browser;
before(async () => {
  browser = await launch(...MICROPHONE, "--host-resolver-rules=MAP insecure.example 127.0.0.1");
});
after(() => browser.close());

/** Opens an empty page at this origin, which has the module at `/voxgate.js`. */
async function open(origin) {
  const page = await browser.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  await page.route(`${origin}/page`, (route) => route.fulfill(PAGE));
  await page.route(`${origin}/voxgate.js`, (route) => route.fulfill({ contentType: "text/javascript", body: MODULE }));
  await page.goto(`${origin}/page`);
  await page.evaluate(async () => {
    window.voxgate = await import("/voxgate.js");
    /** Reads a transcription to its end. */
    window.read = async (transcription) => {
      const events = [];
      try {
        for await (const event of transcription) events.push(JSON.parse(JSON.stringify(event)));
        return { events, text: await transcription.text };
      } catch ({ name, code, status, maybeCharged, partial }) {
        return { events, error: { name, code, status, maybeCharged, partial } };
      }
    };
    const media = navigator.mediaDevices;
    if (!media) return;
    const ask = media.getUserMedia.bind(media);
    window.microphones = [];
    media.getUserMedia = async (wish) => {
      const microphone = await ask(wish);
      window.microphones.push(microphone);
      return microphone;
    };
    window.released = () => window.microphones.every((microphone) => microphone.getTracks().every((track) => track.readyState === "ended"));
  });
  return page;
}

async function serving(t, ...answers) {
  const server = await serve(...answers);
  t.after(server.close);
  return server;
}

const spoken = ({ events }) => events.filter(({ type }) => type.startsWith("transcript."));

test("each event reaches the page before the next is sent, wherever characters are cut", async (t) => {
  let arrived;
  const { url } = await serving(t, async (response) => {
    response.writeHead(200, SERVED.headers);
    for (const event of EVENTS) {
      const shown = new Promise((resolve) => (arrived = resolve));
      const whole = Buffer.from(frame(event));
      // In the middle of a fox, if there is one.
      const cut = whole.indexOf(Buffer.from("🦊")) + 2;
      response.write(whole.subarray(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.write(whole.subarray(cut));
      await shown;
    }
    response.end(frame("[DONE]"));
  });
  const page = await open(url);
  await page.exposeFunction("arrived", (event) => arrived(event));
  const got = await page.evaluate(async () => {
    const transcription = voxgate.transcribe(new Blob(["x"]), { onEvent: ({ type }) => type.startsWith("transcript.") && arrived() });
    return read(transcription);
  });
  assert.deepEqual(spoken(got), EVENTS);
  assert.equal(got.text, TEXT);
  assert.deepEqual(page.errors, []);
});

test("the upload tells its progress up to its end", async (t) => {
  const { url, seen } = await serving(t, SERVED, SERVED);
  const page = await open(url);
  const size = 8 * 1024 * 1024;
  for (const options of [{}, { prompt: "In a form." }]) {
    const got = await page.evaluate(
      ([size, options]) => {
        // From `onEvent`, because the loop may pass over some.
        const events = [];
        const transcription = voxgate.transcribe(new Blob([new Uint8Array(size)]), { ...options, onEvent: ({ type, loaded, total }) => events.push({ type, loaded, total }) });
        return transcription.text.then(() => events);
      },
      [size, options],
    );
    const progress = got.filter(({ type }) => type === "upload.progress");
    const loaded = progress.map(({ loaded }) => loaded);
    assert.ok(progress.every(({ total }) => total === seen.at(-1).body.length && total >= size));
    assert.deepEqual(loaded, loaded.toSorted((a, b) => a - b));
    assert.equal(loaded.at(-1), progress[0].total);
  }
});

test("refusals are repeated, and an expired token is renewed", async (t) => {
  const busy = refusal(503, "overloaded", { "retry-after-ms": "50" });
  const { url, seen } = await serving(t, refusal(401, "token_expired"), busy, SERVED);
  const page = await open(url);
  const got = await page.evaluate(() => read(voxgate.transcribe(new Blob(["x"]), { token: ({ renew }) => (renew ? "new" : "old") })));
  assert.equal(got.text, TEXT);
  assert.deepEqual(got.events.filter(({ type }) => type === "retry").map(({ after }) => after), [0.05]);
  assert.deepEqual(seen.map(({ headers }) => headers.authorization), ["Bearer old", "Bearer new", "Bearer new"]);
});

test("a connection that is lost, and one that never was", async (t) => {
  const silent = await serving(t, ...Array(9).fill((response) => response.destroy()));
  const broken = await serving(t, (response) => {
    response.writeHead(200, SERVED.headers);
    response.write(frame(DELTAS[0]), () => response.destroy());
  });
  const nobody = await serve();
  nobody.close();
  const page = await open(silent.url);
  await page.evaluate(() => {
    const { send } = XMLHttpRequest.prototype;
    window.sent = 0;
    XMLHttpRequest.prototype.send = function (body) {
      window.sent++;
      send.call(this, body);
    };
  });
  const ask = (page, url) => page.evaluate((url) => read(voxgate.transcribe(new Blob(["x"]), { url })), url);
  const lost = { name: "VoxgateError", code: "connection_lost", status: null, maybeCharged: true, partial: null };
  assert.deepEqual((await ask(page, silent.url)).error, lost);
  // The browser itself may have sent it once more: it does if it had opened the connection beforehand.
  assert.equal(await page.evaluate(() => sent), 1, "a paid request was repeated");
  assert.deepEqual((await ask(page, nobody.url)).error, { ...lost, maybeCharged: false });
  const got = await ask(await open(broken.url), broken.url);
  assert.deepEqual([spoken(got), got.error], [[DELTAS[0]], { ...lost, partial: { text: "Où " } }]);
  assert.deepEqual(page.errors, []);
});

test("an answer from where the request was redirected is none", async (t) => {
  const moved = { status: 307, headers: { location: "/elsewhere" } };
  const { url, seen } = await serving(t, moved, SERVED, SERVED);
  const page = await open(url);
  const got = await page.evaluate(() => read(voxgate.transcribe(new Blob(["x"]), { token: "a-token" })));
  assert.equal(seen[1].url, "/elsewhere", "the browser has followed it");
  assert.deepEqual(got.error, { name: "VoxgateError", code: "redirected", status: null, maybeCharged: true, partial: null });
  assert.deepEqual(got.events.filter(({ type }) => type !== "upload.progress"), []);
  assert.equal((await page.evaluate(() => read(voxgate.transcribe(new Blob(["x"]), { language: "it's é+ &*" })))).text, TEXT);
  assert.deepEqual(page.errors, []);
});

test("a gateway below a path is found from where its module is", async (t) => {
  const { url, seen } = await serving(t, SERVED, SERVED);
  const page = await open(url);
  for (const path of ["/speech/to/text/voxgate.js", "/assets/bundle.js"]) {
    await page.route(url + path, (route) => route.fulfill({ contentType: "text/javascript", body: MODULE }));
    await page.evaluate(async (path) => (await import(path)).transcribe(new Blob(["x"])).text, path);
  }
  const route = "/v1/audio/transcriptions?stream=true";
  assert.deepEqual(seen.map(({ url }) => url), [`/speech/to/text${route}`, route]);
});

test("cancelling ends the request in the middle of the upload, of the answer, and of a wait", async (t) => {
  let hungUp;
  const gone = new Promise((resolve) => (hungUp = resolve));
  const { url } = await serving(t, refusal(429, "rate_limit_exceeded", { "retry-after": "29" }), (response) => {
    response.on("close", hungUp);
    response.writeHead(200, SERVED.headers);
    response.write(frame(DELTAS[0]));
  });
  const page = await open(url);
  // Takes what fits into the buffers between the two, and no more.
  const deaf = net.createServer({ pauseOnConnect: true });
  await new Promise((listening) => deaf.listen(0, "127.0.0.1", listening));
  t.after(() => deaf.close());
  const other = await open(`http://127.0.0.1:${deaf.address().port}`);
  const cancelAt = (page, until, size) =>
    page.evaluate(
      ([until, size]) => {
        const outside = new AbortController();
        const onEvent = ({ type }) => type === until && outside.abort();
        return read(voxgate.transcribe(new Blob([new Uint8Array(size)]), { signal: outside.signal, onEvent }));
      },
      [until, size],
    );
  assert.equal((await cancelAt(page, "retry", 1)).error.name, "AbortError");
  assert.equal((await cancelAt(page, "transcript.text.delta", 1)).error.name, "AbortError");
  await gone;
  assert.equal((await cancelAt(other, "upload.progress", 16 * 1024 * 1024)).error.name, "AbortError");
  assert.deepEqual([page.errors, other.errors], [[], []]);
});

test("a worker can transcribe", async (t) => {
  const { url } = await serving(t, SERVED);
  const page = await open(url);
  const text = await page.evaluate(async (origin) => {
    const script = `import { transcribe } from "${origin}/voxgate.js"; transcribe(new Blob(["x"]), { url: "${origin}" }).text.then(postMessage);`;
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => Object.assign(worker, { onmessage: ({ data }) => resolve(data), onerror: reject }));
  }, url);
  assert.equal(text, TEXT);
});

test("the microphone is recorded with its level, and released", async (t) => {
  const { url, seen } = await serving(t, SERVED);
  const page = await open(url);
  const got = await page.evaluate(async () => {
    const levels = [];
    // The microphone beeps once a second.
    let recording;
    await new Promise((loud) => {
      voxgate.record({ onLevel: (level, elapsed) => (levels.push(level), elapsed > 0.3 && levels.some((one) => one > 0.3) && loud()) }).then((it) => (recording = it));
    });
    const during = { isRecording: recording.isRecording, released: released(), elapsed: recording.elapsed };
    const transcription = voxgate.transcribe(recording);
    const text = await transcription.text;
    const blob = await recording.stop();
    const { isRecording, level, elapsed } = recording;
    return { levels, during, text, type: blob.type, size: blob.size, after: { isRecording, level, released: released() }, elapsed, again: recording.elapsed };
  });
  assert.deepEqual([got.during.isRecording, got.during.released, got.text], [true, false, TEXT]);
  assert.ok(got.levels.every((level) => level >= 0 && level <= 1));
  assert.deepEqual(got.after, { isRecording: false, level: 0, released: true });
  assert.ok(got.elapsed >= got.during.elapsed && got.elapsed === got.again && got.during.elapsed > 0.3);
  assert.equal(got.type, "audio/webm;codecs=opus");
  assert.deepEqual([seen[0].headers["content-type"], seen[0].body.length], [got.type, got.size]);
  assert.equal(seen[0].body.readUInt32BE(0), 0x1a45dfa3, "it is WebM");
  assert.deepEqual(page.errors, []);
});

test("a recording ends by itself, and can be cancelled, and each time the microphone is released", async (t) => {
  const { url } = await serving(t);
  const page = await open(url);
  const got = await page.evaluate(async () => {
    const outcome = (promise) => promise.then((blob) => (blob instanceof Blob ? "a recording" : blob), (error) => error?.name ?? error);
    const results = {};
    const note = async (way, recording) => (results[way] = [await outcome(recording.blob), released(), recording.isRecording]);
    await note("after its time", await voxgate.record({ maxSeconds: 0.5 }));
    const cancelled = await voxgate.record();
    cancelled.cancel();
    await note("cancelled", cancelled);
    const outside = new AbortController();
    const signalled = await voxgate.record({ signal: outside.signal });
    outside.abort("enough");
    await note("signalled", signalled);
    // A microphone that is pulled out: its track ends, and the recorder with it.
    const unplugged = await voxgate.record();
    for (const track of microphones.at(-1).getTracks()) track.stop();
    await note("unplugged", unplugged);
    results.before = await outcome(voxgate.record({ signal: AbortSignal.abort("enough") }));
    results.unsupported = await voxgate.record({ mimeType: "audio/nonsense" }).catch(({ code }) => [code, released()]);
    return results;
  });
  assert.deepEqual(got, {
    "after its time": ["a recording", true, false],
    cancelled: ["AbortError", true, false],
    signalled: ["enough", true, false],
    unplugged: ["a recording", true, false],
    before: "enough",
    unsupported: ["recording_unsupported", true],
  });
  assert.deepEqual(page.errors, []);
});

test("a microphone that cannot be used is explained in words", async (t) => {
  const { url } = await serving(t);
  const page = await open(url);
  const codes = await page.evaluate(async () => {
    const codes = {};
    for (const name of ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "AbortError"]) {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Its own words.", name));
      await voxgate.record().catch((error) => (codes[name] = error instanceof voxgate.VoxgateError && error.message.length > 20 && error.code));
    }
    return codes;
  });
  assert.deepEqual(codes, {
    NotAllowedError: "microphone_denied",
    NotFoundError: "microphone_not_found",
    NotReadableError: "microphone_busy",
    OverconstrainedError: "microphone_not_found",
    AbortError: "recording_failed",
  });
  const insecure = await open(url.replace("127.0.0.1", "insecure.example"));
  const error = await insecure.evaluate(() => voxgate.record().catch(({ code, message }) => ({ code, message })));
  assert.equal(error.code, "insecure_context");
  assert.match(error.message, /HTTPS/);
});

test("a recording from the microphone is transcribed by the gateway", { skip: !GATEWAY }, async () => {
  const page = await open(GATEWAY);
  const got = await page.evaluate(async (token) => {
    const recording = await voxgate.record();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const transcription = voxgate.transcribe(await recording.stop(), { token, model: "gpt-transcribe", keywords: ["Voxgate"] });
    const { events, text } = await read(transcription);
    const { requestId, provider, attempts } = transcription.response;
    return { text, types: [...new Set(events.map(({ type }) => type))], facts: [requestId, provider, attempts] };
  }, TOKEN);
  assert.ok(got.text.includes(TRANSCRIPT), got.text);
  assert.deepEqual(got.types.slice(-3), ["response", "transcript.text.delta", "transcript.text.done"]);
  assert.ok(got.facts.every(Boolean), String(got.facts));
  assert.deepEqual(page.errors, []);
});
