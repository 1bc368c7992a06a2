// What `transcribe` sends, how it reads answers, and which errors it gives. Run by tests/api/client_module.rs.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";

import { VoxgateError, models, requestUsage, subtitles, transcribe, usage } from "../voxgate.js";
import { DELTAS, DONE, EVENTS, SERVED, TEXT, all, bytes, failure, frame, refusal, serve, stream } from "./answers.js";

const RECORDING = new Blob(["not really audio"], { type: "audio/webm;codecs=opus" });
const servers = [];
const realFetch = globalThis.fetch;
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

afterEach(() => {
  globalThis.fetch = realFetch;
  for (const server of servers.splice(0)) server.close();
});
after(() => assert.deepEqual(unhandled, []));

async function serving(...answers) {
  const server = await serve(...answers);
  servers.push(server);
  return server;
}

/** Lets `fetch` answer with a stream that comes in these pieces. */
function answerInPieces(pieces, headers = { "content-type": "text/event-stream; charset=utf-8" }) {
  globalThis.fetch = async () => new Response(ReadableStream.from(pieces), { headers });
}

/** The events of the transcript itself. */
const spoken = (list) => list.filter(({ type }) => type.startsWith("transcript."));

async function read(pieces) {
  answerInPieces(pieces);
  const { list, error } = await all(transcribe(RECORDING, { url: "http://gateway.example" }));
  return { list: spoken(list), error };
}

test("every framing is read, whole, byte by byte, and cut in two anywhere", async () => {
  const lines = [...EVENTS.map((event) => JSON.stringify(event)), "[DONE]"];
  for (const end of ["\n", "\r\n", "\r"]) {
    for (const field of ["data: ", "data:", "event: transcript\ndata: ", ": still here\n\nid: 1\ndata: "]) {
      const whole = bytes(`\ufeff${lines.map((data) => `${field}${data}\n\n`).join("")}`.replaceAll("\n", end));
      const cuts = Array.from(whole, (_, at) => [whole.slice(0, at), whole.slice(at)]);
      for (const pieces of [[whole], [...whole].map((byte) => Uint8Array.of(byte)), ...cuts]) {
        assert.deepEqual(await read(pieces), { list: EVENTS, error: null });
      }
    }
  }
});

test("data in several lines is one event, and what is no event is passed over", async () => {
  const noise = "\n\ndata: not JSON\n\ndata: null\n\ndata: 7\n\nevent: ping\n\ndata: {\"no\":\"type\"}\n\nretry: 5\n\n";
  const lines = JSON.stringify(DONE, null, 1).split("\n").map((line) => `data: ${line}\n`).join("");
  const { list, error } = await read([bytes(`${noise}${lines}\ndata: [DONE]\n\n${frame({ type: "late" })}`)]);
  assert.deepEqual([list, error], [[DONE], null]);
});

test("an event is there as soon as its blank line is", { timeout: 20_000 }, async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    let body;
    answerInPieces(new ReadableStream({ start: (controller) => (body = controller) }));
    const events = transcribe(RECORDING, { url: "http://gateway.example" })[Symbol.asyncIterator]();
    assert.equal((await events.next()).value.type, "response");
    for (const event of EVENTS) {
      body.enqueue(bytes(frame(event).replaceAll("\n", end)));
      assert.deepEqual((await events.next()).value, event);
    }
    body.close();
    assert.equal((await events.next()).done, true);
  }
});

test("progress in comments becomes events", async () => {
  const progress = { pieces_done: 1, pieces: null, audio_ms: 301260, total_ms: 600000 };
  answerInPieces([bytes(`: keep-alive\n\n: voxgate ${JSON.stringify(progress)}\n\n: voxgate no JSON\n\n${frame(DONE)}${frame("[DONE]")}`)]);
  const { list } = await all(transcribe(RECORDING, { url: "http://gateway.example" }));
  assert.deepEqual(list.slice(1), [{ ...progress, type: "voxgate.progress" }, DONE]);
});

test("an error in the stream comes after the events before it, with what was heard", async () => {
  const error = { message: "It broke.", type: "server_error", param: null, code: "provider_stream_broken" };
  for (const last of [frame({ error }), `event: error\n${frame({ error })}`, `event: error\n${frame(error)}`]) {
    const got = await read([bytes(frame(DELTAS[0]) + last + frame(DONE))]);
    assert.deepEqual(got.list, [DELTAS[0]]);
    assert.ok(got.error instanceof VoxgateError);
    const { message, code, status, partial, maybeCharged } = got.error;
    assert.deepEqual([message, code, status, maybeCharged], ["It broke.", "provider_stream_broken", 200, true]);
    assert.deepEqual(partial, { text: "Où " });
  }
});

test("an incomplete transcript brings its parts and what is missing", async () => {
  const partial = { text: "Good morning.", missing: [{ start: 301.26, end: 3600 }] };
  const inStream = await read([bytes(frame({ error: { message: "Part.", code: "transcript_incomplete", partial } }))]);
  const { url } = await serving(refusal(502, "transcript_incomplete", { "x-should-retry": "false" }, { partial }));
  const whole = await failure(transcribe(RECORDING, { url, stream: false }).text);
  for (const error of [inStream.error, whole]) assert.deepEqual([error.partial, error.maybeCharged], [partial, true]);
});

test("a stream without its end is incomplete", async () => {
  for (const text of ["", ": still here\n\n", frame(DELTAS[0]), "data: {\"type\":\"transcript.text.do"]) {
    const { error } = await read([bytes(text)]);
    assert.deepEqual([error.code, error.maybeCharged], ["incomplete", true]);
  }
});

test("half of a JSON, and a page of some other server, are no transcript", async () => {
  const { url } = await serving(
    { headers: { "content-type": "application/json" }, body: '{"text":"Où ' },
    { headers: { "content-type": "text/html; charset=utf-8" }, body: "<!doctype html>" },
  );
  assert.equal((await failure(transcribe(RECORDING, { url, stream: false }).text)).code, "incomplete");
  assert.equal((await failure(transcribe(RECORDING, { url }).text)).code, "invalid_answer");
});

test("a 200 without a text is no transcript, and may have cost something", async () => {
  for (const body of ["{}", '{"ok":true}', '{"text":5}', "[]", "null", '"text"']) {
    const { url } = await serving({ headers: { "content-type": "application/json" }, body });
    const error = await failure(transcribe(RECORDING, { url, stream: false }).text);
    assert.deepEqual([error.code, error.status, error.maybeCharged], ["invalid_answer", 200, true], body);
  }
});

test("events whose text is no text are passed over", async () => {
  const wrong = [{ type: "transcript.text.delta" }, { type: "transcript.text.delta", delta: 5 }, { type: "transcript.text.done" }];
  const { list, error } = await read([bytes([...wrong, DELTAS[0], wrong[0], wrong[2]].map(frame).join("") + frame("[DONE]"))]);
  assert.deepEqual([list, error], [[DELTAS[0], { type: "transcript.text.done", text: DELTAS[0].delta }], null]);
});

test("a transcript that is complete stays so when the connection breaks", async () => {
  const broken = async function* () {
    yield bytes(frame(DELTAS[0]) + frame(DONE));
    throw new TypeError("terminated");
  };
  answerInPieces(broken());
  assert.equal(await transcribe(RECORDING, { url: "http://gateway.example" }).text, TEXT);
  // Without `done` the deltas are the text, if the stream says that it is at its end.
  answerInPieces([bytes(DELTAS.map(frame).join("") + frame("[DONE]"))]);
  assert.equal(await transcribe(RECORDING, { url: "http://gateway.example" }).text, TEXT);
});

test("a whole answer is one event, in JSON and in text", async () => {
  const json = { text: TEXT, usage: { type: "duration", seconds: 2 } };
  const answers = [
    { headers: { "content-type": "application/json" }, body: JSON.stringify(json) },
    { headers: { "content-type": "text/vtt" }, body: "WEBVTT\n" },
  ];
  const { url, seen } = await serving(...answers);
  for (const expected of [json, { text: "WEBVTT\n" }]) {
    const transcript = transcribe(RECORDING, { url, stream: false });
    assert.equal(await transcript.text, expected.text);
    const { list } = await all(transcript);
    assert.deepEqual(list.slice(1), [{ ...expected, type: "transcript.text.done" }]);
    assert.deepEqual(await transcript.result, list[1]);
  }
  assert.ok(seen.every(({ url }) => url.endsWith("stream=false")));
});

test("the recording is the body, and its options are in the query", async () => {
  const { url, seen } = await serving(SERVED, SERVED);
  const options = { model: "whisper-1", languages: ["en", "cy"], chunking_strategy: { type: "server_vad" }, language: undefined };
  await transcribe(RECORDING, { url, token: "a-token", ...options }).text;
  const query = new URL(seen[0].url, url).searchParams;
  const sent = { stream: "true", model: "whisper-1", "languages[]": "cy", "chunking_strategy[type]": "server_vad" };
  assert.deepEqual(Object.fromEntries(query), sent);
  assert.deepEqual([seen[0].headers.authorization, seen[0].headers["content-type"]], ["Bearer a-token", RECORDING.type]);
  assert.equal(seen[0].body.toString(), "not really audio");
  // A file that is named wrongly is a recording all the same: the gateway looks at its content.
  await transcribe(new File(["x"], "a.txt", { type: "text/plain" }), { url: `${url}/v1/`, task: "translate" }).text;
  assert.equal(seen[1].headers["content-type"], "application/octet-stream");
  assert.ok(seen[1].url.startsWith("/v1/audio/translations?"));
  assert.equal(seen[1].headers.authorization, undefined);
});

test("what a user wrote is not in the address", async () => {
  const { url, seen } = await serving(SERVED);
  const options = { prompt: "A secret.", keywords: ["Eryri", "Voxgate"], made_up: 7 };
  await transcribe(RECORDING, { url, ...options }).text;
  assert.equal(seen[0].url, "/v1/audio/transcriptions");
  const form = await new Response(seen[0].body, { headers: { "content-type": seen[0].headers["content-type"] } }).formData();
  const { file, ...fields } = Object.fromEntries(form);
  assert.deepEqual(fields, { stream: "true", prompt: "A secret.", "keywords[]": "Voxgate", made_up: "7" });
  assert.equal(await file.text(), "not really audio");
  assert.equal([...form.keys()].at(-1), "file", "the gateway knows the options before it has the recording");
});

test("a stream goes in a form, too, if what a user wrote goes with it", async () => {
  const { url, seen } = await serving(SERVED, SERVED);
  const recording = () => ReadableStream.from([bytes("not really "), bytes("audio")]);
  await transcribe(recording(), { url, prompt: "A secret.", known_speaker_names: ["Alice"] }).text;
  assert.equal(seen[0].url, "/v1/audio/transcriptions");
  const form = await new Response(seen[0].body, { headers: { "content-type": seen[0].headers["content-type"] } }).formData();
  assert.deepEqual([form.get("prompt"), form.get("known_speaker_names[]")], ["A secret.", "Alice"]);
  assert.equal(await form.get("file").text(), "not really audio");
  // Alone it is sent while it comes.
  await transcribe(recording(), { url, model: "whisper-1" }).text;
  assert.deepEqual([seen[1].headers["transfer-encoding"], seen[1].body.toString()], ["chunked", "not really audio"]);
});

test("bytes, data: URLs, streams and promises are recordings", async () => {
  const audio = bytes("not really audio");
  const dataUrl = ` data:audio/ogg;codecs=opus;base64,${Buffer.from(audio).toString("base64")}\n`;
  const recordings = [audio, audio.buffer, new DataView(audio.buffer), dataUrl, ReadableStream.from([audio]), Promise.resolve(RECORDING)];
  const { url, seen } = await serving(...recordings.map(() => SERVED));
  for (const recording of recordings) assert.equal(await transcribe(recording, { url }).text, TEXT);
  assert.deepEqual(seen.map(({ body }) => body.toString()), recordings.map(() => "not really audio"));
  assert.equal(seen[3].headers["content-type"], "audio/ogg;codecs=opus");
  for (const [wrong, code] of [["hello", "invalid_base64"], ["data:audio/wav;base64,%", "invalid_base64"], [7, "invalid_audio"], [undefined, "invalid_audio"]]) {
    assert.equal((await failure(transcribe(wrong, { url }).text)).code, code);
  }
});

test("a refusal is an error with all that the answer says", async () => {
  const { url } = await serving(refusal(400, "invalid_value", {}, { param: "temperature", type: "invalid_request_error" }));
  const transcript = transcribe(RECORDING, { url });
  const error = await failure(transcript.text);
  assert.ok(error instanceof VoxgateError && error instanceof Error);
  const { name, message, status, code, type, param, requestId, retryAfter, partial, maybeCharged } = error;
  assert.deepEqual([name, message, status, code], ["VoxgateError", "No: invalid_value.", 400, "invalid_value"]);
  assert.deepEqual([type, param, requestId, retryAfter, partial], ["invalid_request_error", "temperature", "request-1", null, null]);
  assert.equal(maybeCharged, false);
  // Whoever reads the events gets it there, once.
  const { list, error: again } = await all(transcript);
  assert.deepEqual([list, again], [[], error]);
  assert.deepEqual(await all(transcript), { list: [], error: null });
  for (const body of ["<html>", "", "null", '{"error":null}', '{"error":[]}']) {
    const server = await serving({ status: 502, body });
    const { message, status } = await failure(transcribe(RECORDING, { url: server.url }).text);
    assert.deepEqual([message, status], ["The server gave no reason (status 502).", 502]);
  }
});

test("a 429 and a 503 are repeated as the answer says", async () => {
  const limited = refusal(429, "rate_limit_exceeded", { "retry-after-ms": "20", "retry-after": "9" });
  const { url, seen } = await serving(limited, refusal(503, "overloaded", { "retry-after": "0" }), SERVED);
  const { list, error } = await all(transcribe(RECORDING, { url }));
  assert.equal(error, null);
  const retries = list.filter(({ type }) => type === "retry");
  assert.deepEqual(retries.map(({ after, attempt, error }) => [after, attempt, error.code]), [
    [0.02, 2, "rate_limit_exceeded"],
    [0, 3, "overloaded"],
  ]);
  assert.deepEqual(spoken(list), EVENTS);
  assert.equal(seen.length, 3);
});

test("nothing else is repeated, and nothing more than twice", async () => {
  const now = { "retry-after": "0" };
  const cases = [
    [1, refusal(429, "concurrency_limit_exceeded")],
    [1, refusal(429, "insufficient_quota", { ...now, "x-should-retry": "false" })],
    [1, refusal(429, "rate_limit_exceeded", { "retry-after": "31" })],
    [1, refusal(503, "overloaded", { "retry-after": new Date(Date.now() + 90_000).toUTCString() })],
    [1, refusal(503, "overloaded", { "retry-after": "soon" })],
    [1, refusal(500, "internal_error", now)],
    [1, refusal(502, "provider_unreachable", now)],
    [1, refusal(504, "provider_timeout", now)],
    [1, (response) => response.destroy()],
    [1, stream({ error: { code: "overloaded", message: "Later." } })],
    [3, refusal(429, "rate_limit_exceeded", now)],
  ];
  for (const [times, answer] of cases) {
    const { url, seen } = await serving(...Array(5).fill(answer));
    await failure(transcribe(RECORDING, { url }).text);
    assert.equal(seen.length, times, JSON.stringify(answer));
  }
  const { url, seen } = await serving(refusal(429, "rate_limit_exceeded", now), refusal(503, "overloaded", { "retry-after": "1" }));
  const error = await failure(transcribe(RECORDING, { url, maxRetryWait: 0 }).text);
  assert.deepEqual([error.code, error.retryAfter, seen.length], ["overloaded", 1, 2]);
  const never = await serving(refusal(429, "rate_limit_exceeded", now), SERVED);
  assert.equal((await failure(transcribe(RECORDING, { url: never.url, maxRetryWait: -1 }).text)).status, 429);
  // A stream is gone when it is sent.
  const again = await serving(refusal(503, "overloaded", now), SERVED);
  await failure(transcribe(ReadableStream.from([bytes("x")]), { url: again.url }).text);
  assert.equal(again.seen.length, 1);
});

test("an expired token is renewed once", async () => {
  const expired = refusal(401, "token_expired");
  const { url, seen } = await serving(expired, SERVED);
  const asked = [];
  const token = ({ renew }) => (asked.push(renew), Promise.resolve(`token-${asked.length}`));
  assert.equal(await transcribe(RECORDING, { url, token }).text, TEXT);
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual(seen.map(({ headers }) => headers.authorization), ["Bearer token-1", "Bearer token-2"]);
  const hopeless = [
    [2, expired, token],
    [1, expired, "the-same"],
    [1, expired, () => "the-same"],
    [1, refusal(401, "invalid_token"), token],
  ];
  for (const [times, answer, token] of hopeless) {
    const server = await serving(answer, answer, answer);
    assert.equal((await failure(transcribe(RECORDING, { url: server.url, token }).text)).status, 401);
    assert.equal(server.seen.length, times);
  }
  const mine = new Error("nobody is logged in");
  assert.equal(await failure(transcribe(RECORDING, { url, token: () => Promise.reject(mine) }).text), mine);
});

test("a refusal says whether a provider may have had the recording", async () => {
  const no = { "x-should-retry": "false" };
  const cases = [
    [false, refusal(400, "invalid_value")],
    [false, refusal(413, "file_too_large")],
    [false, refusal(429, "rate_limit_exceeded", { "retry-after": "99" })],
    [false, refusal(429, "insufficient_quota", no)],
    [false, refusal(502, "provider_unreachable")],
    [false, refusal(502, "provider_auth_failed")],
    [false, refusal(503, "overloaded")],
    [false, refusal(503, "provider_unavailable")],
    [true, refusal(429, "insufficient_quota", no, { message: "No. Part of it had been sent to a provider, and is charged." })],
    [true, refusal(400, "invalid_audio", no)],
    [true, refusal(503, "overloaded", { ...no, "retry-after": "0" })],
    [true, refusal(500, "internal_error")],
    [true, refusal(502, "provider_error")],
    [true, refusal(504, "provider_timeout")],
    [true, { status: 504, body: "<html>" }],
    [true, stream({ error: { code: "provider_timeout", message: "Silence." } })],
  ];
  for (const [maybeCharged, answer] of cases) {
    const { url, seen } = await serving(answer, answer);
    const error = await failure(transcribe(RECORDING, { url }).text);
    assert.deepEqual([error.maybeCharged, seen.length], [maybeCharged, 1], JSON.stringify(answer));
  }
  // Without a recording there is nothing to charge.
  const { url } = await serving(refusal(500, "internal_error"));
  assert.equal((await failure(models({ url }))).maybeCharged, false);
});

test("a lost connection says whether it may have cost something", async () => {
  const gone = await serving();
  gone.close();
  const never = await failure(transcribe(RECORDING, { url: gone.url }).text);
  assert.deepEqual([never.code, never.maybeCharged, never.status], ["connection_lost", false, null]);
  const { url } = await serving(
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(frame(DELTAS[0]), () => response.destroy());
    },
  );
  const unanswered = await failure(transcribe(RECORDING, { url }).text);
  assert.deepEqual([unanswered.code, unanswered.maybeCharged, unanswered.partial], ["connection_lost", true, null]);
  const { list, error } = await all(transcribe(RECORDING, { url }));
  assert.deepEqual(spoken(list), [DELTAS[0]]);
  assert.deepEqual([error.code, error.maybeCharged, error.partial], ["connection_lost", true, { text: "Où " }]);
});

test("a signal and cancel() end the work at any point", { timeout: 20_000 }, async () => {
  const later = refusal(429, "rate_limit_exceeded", { "retry-after": "29" });
  const never = new Promise(() => {});
  const points = [
    // Before it begins, while it waits for a recording or a token, for an answer, for the rest of it, or for its time.
    ["no event", RECORDING, {}, AbortSignal.abort("enough")],
    ["no event", never, {}],
    ["no event", RECORDING, { token: () => never }],
    ["request", RECORDING, {}, null, () => {}],
    ["transcript.text.delta", RECORDING, {}, null, (response) => response.writeHead(200, SERVED.headers).write(frame(DELTAS[0]))],
    ["retry", RECORDING, {}, null, later],
  ];
  for (const bySignal of [true, false]) {
    for (const [until, recording, options, already, answer] of points) {
      const { url, seen } = await serving(answer ?? SERVED);
      const outside = new AbortController();
      let reached;
      const point = new Promise((resolve) => (reached = resolve));
      const onEvent = ({ type }) => type === until && reached();
      const transcript = transcribe(recording, { url, signal: already ?? outside.signal, onEvent, ...options });
      if (until === "request") while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      else if (until !== "no event") await point;
      if (bySignal) outside.abort("enough");
      else transcript.cancel("enough");
      assert.equal(await failure(transcript.text), "enough", until);
      assert.equal((await all(transcript)).error, "enough");
    }
  }
  const transcript = transcribe(never, { url: "http://gateway.example" });
  transcript.cancel();
  assert.equal((await failure(transcript.text)).name, "AbortError");
});

test("who leaves the loop early lets go of the connection", { timeout: 20_000 }, async () => {
  let hungUp;
  const gone = new Promise((resolve) => (hungUp = resolve));
  const { url } = await serving((response) => {
    response.on("close", hungUp);
    response.writeHead(200, SERVED.headers).write(frame(DELTAS[0]));
  });
  const transcript = transcribe(RECORDING, { url });
  for await (const { type } of transcript) if (type === "transcript.text.delta") break;
  await gone;
  assert.equal((await failure(transcript.text)).name, "AbortError");
});

test("who leaves the loop at the end has the text", async () => {
  const { url } = await serving(SERVED);
  const transcript = transcribe(RECORDING, { url });
  for await (const { type } of transcript) if (type === "transcript.text.done") break;
  assert.equal(await transcript.text, TEXT);
});

test("events and text can be read in any order, and onEvent gets each event", async () => {
  const { url } = await serving(SERVED);
  const heard = [];
  const transcript = transcribe(RECORDING, { url, onEvent: (event) => heard.push(event) });
  const [text, { list }] = [await transcript.text, await all(transcript)];
  assert.deepEqual([text, spoken(list), heard], [TEXT, EVENTS, list]);
});

test("the head of the answer is told", async () => {
  const headers = {
    ...SERVED.headers,
    "x-request-id": "request-2",
    "x-voxgate-provider": "openai",
    "x-voxgate-attempts": "2",
    "x-voxgate-pieces": "12",
    "x-voxgate-speech-ms": "3012450",
    ratelimit: '"requests";r=59;t=1, "audio";r=598;t=2',
  };
  const { url } = await serving({ ...SERVED, headers });
  const transcript = transcribe(RECORDING, { url });
  assert.equal(transcript.response, null);
  await transcript.text;
  const { headers: all, ...facts } = transcript.response;
  assert.deepEqual(facts, {
    status: 200,
    requestId: "request-2",
    provider: "openai",
    attempts: 2,
    pieces: 12,
    speechMs: 3012450,
    rateLimits: { requests: { remaining: 59, reset: 1 }, audio: { remaining: 598, reset: 2 } },
    retryAfter: null,
  });
  assert.equal(all.get("content-type"), "text/event-stream");
});

test("models, usage and requests are asked for by their routes", async () => {
  const json = (body) => ({ headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const busy = refusal(503, "store_unavailable", { "retry-after": "0" });
  const answers = [json({ data: [{ id: "whisper-1" }] }), busy, json({ month: "2026-11" }), json({}), json({ id: "a b" }), { body: "hello" }];
  const { url, seen } = await serving(...answers);
  const options = { url, token: () => "a-token" };
  assert.deepEqual(await models(options), [{ id: "whisper-1" }]);
  assert.deepEqual(await usage({ ...options, month: "2026-11" }), { month: "2026-11" });
  assert.deepEqual(await usage(options), {});
  assert.deepEqual(await requestUsage("a b", options), { id: "a b" });
  assert.equal((await failure(models(options))).code, "invalid_answer");
  const [month, request] = ["/v1/usage?month=2026-11", "/v1/usage/requests/a%20b"];
  assert.deepEqual(seen.map(({ url }) => url), ["/v1/models", month, month, "/v1/usage", request, "/v1/models"]);
  assert.ok(seen.every(({ method, headers }) => method === "GET" && headers.authorization === "Bearer a-token"));
  assert.equal(await failure(models({ ...options, signal: AbortSignal.abort("enough") })), "enough");
});

test("segments become subtitles", () => {
  const segments = [
    { start: 0, end: 1.4, text: " Good <morning>.\n\n& more " },
    { start: 3661.0004, end: 3662, text: "Yes.", speaker: "A" },
  ];
  assert.equal(
    subtitles(segments, "srt"),
    "1\n00:00:00,000 --> 00:00:01,400\nGood <morning>.\n& more\n\n2\n01:01:01,000 --> 01:01:02,000\nA: Yes.\n",
  );
  assert.equal(
    subtitles(segments),
    "WEBVTT\n\n00:00:00.000 --> 00:00:01.400\nGood &lt;morning&gt;.\n&amp; more\n\n01:01:01.000 --> 01:01:02.000\nA: Yes.\n",
  );
  const times = (start, end) => subtitles([{ start, end, text: "x" }]).split("\n")[2];
  assert.equal(times(-1, 90_061), "00:00:00.000 --> 25:01:01.000");
  for (const end of [1e300, Infinity]) assert.equal(times(NaN, end), "00:00:00.000 --> 99:59:59.999");
});
