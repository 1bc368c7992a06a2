// The module before a real gateway, from Node: every function once, and the examples of README.md as they are written. Run by
// tests/api/client_module.rs, which gives GATEWAY, TOKEN, EXPIRED_TOKEN and TRANSCRIPT.

import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { live, models, requestUsage, subtitles, transcribe, usage } from "../voxgate.js";
import { all, failure } from "./answers.js";

const { GATEWAY: url, TOKEN: token, EXPIRED_TOKEN, TRANSCRIPT } = process.env;
const file = fs.readFileSync(new URL("../../tests/media/sample.wav", import.meta.url));
const recording = new Blob([file], { type: "audio/wav" });
/** The same as samples, in place of a microphone. */
const sound = { source: [file.subarray(44)], sampleRate: 16_000 };

/** The examples of the page, as the bodies of functions. Those for Node alone are programs. */
const page = fs.readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code).filter((code) => !code.includes('from "node:'));

test("a recording is transcribed, alone and in a form, as a stream and whole", async () => {
  for (const options of [{}, { prompt: "Quartz." }, { stream: false }, { stream: false, response_format: "text" }]) {
    const transcription = transcribe(recording, { url, token, model: "gpt-transcribe", ...options });
    assert.equal((await transcription.text).trim(), TRANSCRIPT);
    const { requestId, provider, rateLimits } = transcription.response;
    assert.ok(requestId && provider);
    assert.equal(typeof rateLimits.requests.remaining, "number");
  }
  assert.equal(await transcribe(recording, { url, token, model: "whisper-1", task: "translate" }).text, TRANSCRIPT);
});

test("segments of a recording are subtitles", async () => {
  const { segments } = await transcribe(recording, { url, token, model: "whisper-1", response_format: "verbose_json" }).result;
  assert.match(subtitles(segments), /^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n\w/);
});

test("the progress of a recording in pieces is told", async () => {
  const { list } = await all(transcribe(recording, { url, token, model: "gpt-transcribe", response_format: "srt" }));
  const { pieces_done, pieces, audio_ms, total_ms } = list.findLast(({ type }) => type === "voxgate.progress");
  assert.ok(pieces_done >= 1 && pieces === pieces_done && audio_ms === total_ms && total_ms > 2000);
});

test("an expired token is renewed, and any other refusal is an error", async () => {
  const renewed = transcribe(recording, { url, token: ({ renew }) => (renew ? token : EXPIRED_TOKEN) });
  assert.equal(await renewed.text, TRANSCRIPT);
  const errors = [
    [{ token: EXPIRED_TOKEN }, 401, "token_expired", null],
    [{ token, temperature: 7 }, 400, "invalid_value", "temperature"],
    [{ token, model: "no-such-model" }, 404, "model_not_found", "model"],
  ];
  for (const [options, ...facts] of errors) {
    const { status, code, param, requestId } = await failure(transcribe(recording, { url, ...options }).text);
    assert.deepEqual([status, code, param], facts);
    assert.ok(requestId);
  }
});

test("a live session gives deltas, a segment and the text, and its cost is known", async () => {
  const told = { deltas: [], segments: [] };
  const session = await live({ url, token, ...sound, onDelta: (delta) => told.deltas.push(delta), onSegment: (segment) => told.segments.push(segment) });
  const { text, duration } = await session.result;
  assert.deepEqual([text, told.deltas.join("")], [TRANSCRIPT, TRANSCRIPT]);
  const [{ start, end }] = told.segments;
  assert.ok(start >= 0 && end > start && end <= duration && duration > 2);
  // It is settled a moment after its last words.
  let record;
  do record = await requestUsage(session.requestId, { url, token });
  while (record.status === "open");
  assert.ok(record.cost.audio_ms > 2000, JSON.stringify(record));
  const options = { url, token: ({ renew }) => (renew ? token : EXPIRED_TOKEN), ...sound };
  assert.equal((await (await live(options)).result).text, TRANSCRIPT);
  const { code, maybeCharged } = await failure(live({ ...options, model: "no-such-model" }));
  assert.deepEqual([code, maybeCharged], ["model_not_found", false]);
});

test("models and usage are told", async () => {
  assert.ok((await models({ url, token })).some(({ id }) => id === "gpt-transcribe"));
  assert.ok((await usage({ url, token })).total.requests > 0);
});

test("the examples of the page run as they are written", async () => {
  const AsyncFunction = (async () => {}).constructor;
  const voxgate = await import("../voxgate.js");
  const here = (send) => (...given) => send(...given.slice(0, -1), { url, ...given.at(-1) });
  let shown = "";
  // What the examples take from their page. The gateway is where the module came from.
  const scope = {
    voxgate: { ...voxgate, transcribe: here(transcribe), models: here(models), usage: here(usage), live: (options) => live({ url, ...sound, ...options }), record: async () => ({ stop: () => recording }) },
    recording,
    token,
    show: (text) => (shown += text),
    document: { querySelector: () => ({ files: [recording] }) },
    fetch: async () => Response.json({ token }),
  };
  for (const example of examples) {
    shown = "";
    const code = example.replace(/^import \{(.*)\} from .*$/m, "const {$1} = voxgate;");
    await new AsyncFunction(...Object.keys(scope), `{${code}}`)(...Object.values(scope));
    assert.match(shown, /Sphinx|temperature/, example);
  }
  assert.equal(examples.length, 7);
});
