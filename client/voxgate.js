/**
 * Voxgate for web pages: records the microphone, sends recordings to the gateway, and reads transcripts as they come.
 * Live sessions are in voxgate/live.js, which is loaded when a page calls `live`.
 * client/README.md explains its use; client/voxgate.d.ts has the types.
 */

/** The number of times that one request is sent, apart from the one for an expired token. */
const MAX_ATTEMPTS = 3;

const DELTA = "transcript.text.delta";
const DONE = "transcript.text.done";

// ---- Errors ---------------------------------------------------------------------------------------------------------

/** A refusal by the gateway, a connection or a stream that broke, or a microphone that cannot be used. */
export class VoxgateError extends Error {
  constructor(message, { status, code, type, param, partial, maybeCharged, response, cause, start, end, next_seq } = {}) {
    super(message, { cause });
    this.name = "VoxgateError";
    this.status = status ?? response?.status ?? null;
    this.code = code ?? null;
    this.type = type ?? null;
    this.param = param ?? null;
    this.requestId = response?.requestId ?? null;
    this.retryAfter = response?.retryAfter ?? null;
    this.partial = partial ?? null;
    this.maybeCharged = maybeCharged ?? false;
    this.response = response ?? null;
    this.start = start ?? null;
    this.end = end ?? null;
    this.nextSeq = next_seq ?? null;
  }
}

/** Makes an error from the member `error` of an answer or of an event. */
function errorOf(error, response, hasRecording = true) {
  const { message, ...facts } = typeof error === "string" ? { message: error } : (error ?? {});
  const words = message ?? `The server gave no reason (status ${response.status}).`;
  const maybeCharged = hasRecording && mayBeCharged(words, facts, response);
  return new VoxgateError(words, { ...facts, maybeCharged, status: response.status, response });
}

/** True if a provider may have had the recording: README.md has the rule in words. */
function mayBeCharged(message, { code, partial }, { status, headers }) {
  if (partial || status < 300) return true;
  // A quota can also end a recording of which pieces were sent. Only the message tells.
  if (isFinal(headers)) return code !== "insufficient_quota" || /charged/.test(message);
  return status >= 500 && status !== 503 && !/^provider_(unreachable|auth_failed)$/.test(code);
}

const isFinal = (headers) => headers.get("x-should-retry") === "false";

function connectionError(maybeCharged, cause) {
  const message = maybeCharged
    ? "The connection was lost before the answer was complete."
    : "The gateway cannot be reached, or it does not allow this page (cors.origins).";
  return new VoxgateError(message, { code: "connection_lost", maybeCharged, cause });
}

function wrongAnswer(facts) {
  return new VoxgateError("The answer is not a gateway's. Is the address right?", { code: "invalid_answer", ...facts });
}

// ---- Answers --------------------------------------------------------------------------------------------------------

/** The facts in the head of an answer. A header that is missing, or that CORS hides from the page, is `null`. */
function responseOf(status, headers) {
  const number = (name) => (headers.has(name) ? Number(headers.get(name)) : null);
  return {
    status,
    requestId: headers.get("x-request-id"),
    provider: headers.get("x-voxgate-provider"),
    attempts: number("x-voxgate-attempts"),
    pieces: number("x-voxgate-pieces"),
    speechMs: number("x-voxgate-speech-ms"),
    rateLimits: rateLimitsOf(headers.get("ratelimit") ?? ""),
    retryAfter: retryAfterOf(headers),
    headers,
  };
}

/** Reads `"requests";r=59;t=1, "audio";r=598;t=1`. */
function rateLimitsOf(header) {
  const rates = [...header.matchAll(/"(\w+)";r=(\d+);t=(\d+)/g)];
  return Object.fromEntries(rates.map(([, name, r, t]) => [name, { remaining: Number(r), reset: Number(t) }]));
}

/** The seconds until the request may be repeated. A provider may have written an HTTP date. */
function retryAfterOf(headers) {
  const [ms, text] = ["retry-after-ms", "retry-after"].map((name) => headers.get(name) ?? NaN);
  const seconds = [ms / 1000, Number(text), (Date.parse(text) - Date.now()) / 1000].find(Number.isFinite);
  return seconds === undefined ? null : Math.max(0, seconds);
}

/** A parser of server-sent events (HTML standard, 9.2.6). */
class EventParser {
  #onEvent;
  #onComment;
  /** The beginning of a line whose end has not come yet. */
  #rest = "";
  #afterReturn = false;
  #name = "";
  #data = [];
  #id = "";

  constructor(onEvent, onComment) {
    this.#onEvent = onEvent;
    this.#onComment = onComment;
  }

  push(text) {
    if (text === "") return;
    // A CR ends its line at once. An LF at the start of the next chunk belongs to it.
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop();
    for (const line of lines) this.#read(line);
  }

  /** By the standard an event without its blank line is none. Here it would be the end of a transcript. */
  end() {
    this.#read(this.#rest);
    this.#read("");
  }

  #read(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return this.#onComment(line.slice(1).trim());
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#name = value;
    if (field === "id") this.#id = value;
  }

  #dispatch() {
    const [name, data] = [this.#name, this.#data];
    this.#name = "";
    this.#data = [];
    if (data.length > 0) this.#onEvent(name, data.join("\n"), this.#id);
  }
}

/** A reader of the answer to a recording, as a stream or whole. It emits events; `done` is the last one. */
class TranscriptReader {
  /** The event that has the whole text. Nothing that comes after it counts. */
  done = null;
  /** The text of all deltas so far. */
  heard = "";
  #emit;
  #response = null;
  #parser = null;
  #body = "";
  #sawEnd = false;

  constructor(emit) {
    this.#emit = emit;
  }

  begin(response) {
    this.#response = response;
    if (this.#isOfType("text/html")) throw wrongAnswer();
    if (this.#isOfType("text/event-stream")) {
      this.#parser = new EventParser((name, data) => this.#read(name, data), (text) => this.#comment(text));
    }
    this.#emit({ type: "response", response });
  }

  push(text) {
    if (this.#parser) this.#parser.push(text);
    else this.#body += text;
  }

  end() {
    if (this.#parser) this.#parser.end();
    else this.#readWhole();
    if (!this.done && this.#sawEnd) this.#receive({ type: DONE, text: this.heard });
    if (!this.done) {
      const message = "The answer ended before the transcript was complete.";
      throw new VoxgateError(message, { code: "incomplete", maybeCharged: true, response: this.#response });
    }
  }

  #read(name, data) {
    if (this.done || this.#sawEnd) return;
    this.#sawEnd = data === "[DONE]";
    if (this.#sawEnd) return;
    const event = parseObject(data);
    if (event?.error || name === "error") throw errorOf(event?.error ?? event, this.#response);
    if (typeof event?.type === "string") this.#receive(event);
  }

  #receive(event) {
    const { type, delta, text } = event;
    // Without its text it is none.
    if ((type === DELTA && typeof delta !== "string") || (type === DONE && typeof text !== "string")) return;
    if (type === DELTA) this.heard += delta;
    if (type === DONE) this.done = event;
    this.#emit(event);
  }

  #comment(text) {
    const progress = text.startsWith("voxgate ") ? parseObject(text.slice(8)) : null;
    if (progress) this.#emit({ ...progress, type: "voxgate.progress" });
  }

  /** Emits the event that a stream would have ended with. */
  #readWhole() {
    const answer = this.#isOfType("application/json") ? parseObject(this.#body) : { text: this.#body };
    if (answer === undefined) return;
    if (typeof answer?.text !== "string") throw wrongAnswer({ maybeCharged: true, response: this.#response });
    this.#receive({ ...answer, type: DONE });
  }

  #isOfType(type) {
    return this.#response.headers.get("content-type")?.startsWith(type) ?? false;
  }
}

/** The object of a JSON text, `null` for other values, and `undefined` for what is no JSON. */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {}
}

// ---- Requests -------------------------------------------------------------------------------------------------------

/** Sends a request until it is served or refused for good. `reader` gets the answer that counts. */
async function send(request, reader, { token, signal, maxRetryWait = 30, emit = () => {} }) {
  const renewable = typeof token === "function";
  let bearer = renewable ? await abortable(token({ renew: false }), signal) : token;
  let isRenewed = false;
  for (let attempt = 1; ; ) {
    try {
      return await sendOnce(request, bearer, signal, reader, emit);
    } catch (error) {
      if (!isRepeatable(error, request)) throw error;
      if (error.status === 401) {
        const fresh = renewable && !isRenewed ? await abortable(token({ renew: true }), signal) : bearer;
        if (fresh === bearer) throw error;
        [bearer, isRenewed] = [fresh, true];
      } else {
        if (attempt >= MAX_ATTEMPTS || error.retryAfter > maxRetryWait) throw error;
        attempt++;
        emit({ type: "retry", after: error.retryAfter, attempt, error });
        await sleep(error.retryAfter, signal);
      }
    }
  }
}

/** True if the gateway refused the request at no cost, and allows to repeat it. */
function isRepeatable(error, request) {
  if (!(error instanceof VoxgateError) || error.maybeCharged || isStream(request.body)) return false;
  if (error.status === 401) return error.code === "token_expired";
  if (error.status !== 429 && error.status !== 503) return false;
  return error.retryAfter !== null && !isFinal(error.response.headers);
}

async function sendOnce(request, bearer, signal, reader, emit) {
  const headers = bearer ? { ...request.headers, Authorization: `Bearer ${bearer}` } : request.headers;
  // Only XMLHttpRequest tells how much of a body is sent. Node and service workers have none, and it takes no streams.
  const useXhr = typeof XMLHttpRequest === "function" && request.body && !isStream(request.body);
  let response = null;
  let refusal = "";
  await (useXhr ? sendByXhr : sendByFetch)({ ...request, headers, signal }, {
    onUpload: (loaded, total) => emit({ type: "upload.progress", loaded, total }),
    onHead: (status, head) => {
      response = responseOf(status, head);
      if (status < 300) reader.begin(response);
    },
    onText: (text) => {
      if (response.status < 300) reader.push(text);
      else refusal += text;
    },
  });
  if (response.status >= 300) throw errorOf(parseObject(refusal)?.error, response, Boolean(request.body));
}

/** Sends a request by XMLHttpRequest. An exception in a handler aborts it. */
function sendByXhr({ method, url, headers, body, signal }, { onUpload, onHead, onText }) {
  const xhr = new XMLHttpRequest();
  const abort = () => xhr.abort();
  const [target] = url.split("#");
  const finished = new Promise((resolve, reject) => {
    let [hasHead, wasSent, read] = [false, false, 0];
    const guarded = (step) => (event) => {
      try {
        step(event);
      } catch (error) {
        reject(error);
        xhr.abort();
      }
    };
    const advance = guarded(() => {
      if (xhr.readyState < XMLHttpRequest.HEADERS_RECEIVED || xhr.status === 0) return;
      // It follows redirects unasked. A browser's own change of http to https is none.
      if (![target, target.replace(/^http\b/, "https")].includes(xhr.responseURL)) {
        throw new VoxgateError("The request was redirected to another address.", { code: "redirected", maybeCharged: true });
      }
      if (!hasHead) onHead(xhr.status, parseHeaders(xhr.getAllResponseHeaders()));
      hasHead = true;
      // The browser decodes as bytes come, and holds back a character that is cut in two.
      const fresh = xhr.responseText.slice(read);
      read += fresh.length;
      if (fresh) onText(fresh);
    });
    xhr.upload.onprogress = guarded(({ loaded, total }) => {
      wasSent ||= loaded > 0;
      onUpload(loaded, total);
    });
    // Some browsers tell of each chunk by one of these, some by the other.
    xhr.onreadystatechange = advance;
    xhr.onprogress = advance;
    xhr.onload = resolve;
    xhr.onerror = () => reject(connectionError(wasSent));
    xhr.onabort = () => reject(signal.reason);
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    // Whatever type the provider gives its text, it is UTF-8.
    xhr.overrideMimeType("text/plain; charset=utf-8");
    signal.addEventListener("abort", abort);
    if (signal.aborted) reject(signal.reason);
    else xhr.send(body);
  });
  return finished.finally(() => signal.removeEventListener("abort", abort));
}

/** `getResponseHeader` would log an error for each header that CORS hides from the page. */
function parseHeaders(text) {
  const lines = text.split("\r\n").filter(Boolean);
  return new Headers(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** Errors of Node's `fetch` by which no byte of the request went out. */
const NOT_CONNECTED = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

async function sendByFetch({ method, url, headers, body, signal }, { onHead, onText }) {
  const lost = (error) => {
    if (signal.aborted) return signal.reason;
    return connectionError(Boolean(body) && !NOT_CONNECTED.includes(error.cause?.code), error);
  };
  // A redirect would take the token and the recording to somewhere else.
  const init = { method, headers, body, signal, redirect: "error", cache: "no-store" };
  if (isStream(body)) init.duplex = "half";
  const answer = await fetch(url, init).catch((error) => Promise.reject(lost(error)));
  const reader = answer.body?.getReader();
  try {
    onHead(answer.status, answer.headers);
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = (await reader?.read().catch((error) => Promise.reject(lost(error)))) ?? { done: true };
      onText(decoder.decode(value, { stream: !done }));
      if (done) return;
    }
  } finally {
    reader?.cancel().catch(() => {});
  }
}

function isStream(body) {
  return typeof ReadableStream === "function" && body instanceof ReadableStream;
}

/** Settles as `work` does, or rejects when the signal is aborted. */
function abortable(work, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    Promise.resolve(work).then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

async function sleep(seconds, signal) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
  await abortable(over, signal).finally(() => clearTimeout(timer));
}

/** The address of a route. The default is the gateway that served this module, or else the page's own origin. */
function addressOf(path, url = ownAddress()) {
  // The base_url of an SDK, which ends in /v1, is accepted too.
  return new URL(String(url).replace(/(\/v1)?\/*$/, "") + path, globalThis.location?.href).href;
}

/** The path of a bundle tells nothing of the gateway's. */
function ownAddress() {
  // A bundle that is no module has none.
  const { protocol, origin, pathname } = new URL(import.meta.url ?? "bundle:");
  return protocol.startsWith("http") ? origin + (/^(.*)\/voxgate\.js$/.exec(pathname)?.[1] ?? "") : "";
}

// ---- Transcriptions -------------------------------------------------------------------------------------------------

/**
 * The options that may stand in an address. Prompts, keywords, names and options that this module does not know go in the
 * body, because proxies log addresses.
 */
const QUERY_OPTIONS = "chunking_strategy include language languages model response_format stream temperature timestamp_granularities"
  .split(" ");

/** Sends a recording. The work starts at once. */
export function transcribe(audio, options = {}) {
  return new Transcription(audio, options);
}

/** The transcription of a recording: an async iterable of its events, and promises of its text and of its last event. */
class Transcription {
  #controller = new AbortController();
  #events = new EventQueue();
  #reader = new TranscriptReader((event) => this.#emit(event));
  #onEvent;

  constructor(audio, { onEvent, signal, ...options }) {
    this.#onEvent = onEvent;
    this.response = null;
    const either = AbortSignal.any([this.#controller.signal, signal].filter(Boolean));
    this.result = this.#run(audio, { ...options, signal: either });
    this.text = this.result.then(({ text }) => text);
    // A page that reads only the events gets the error there.
    for (const promise of [this.result, this.text]) promise.catch(() => {});
  }

  cancel(reason) {
    this.#controller.abort(reason);
  }

  [Symbol.asyncIterator]() {
    return {
      next: () => this.#events.next(),
      // Leaving the loop early ends the work, and its cost.
      return: async () => {
        if (!this.#reader.done) this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  async #run(audio, options) {
    try {
      await this.#send(audio, options);
      this.#events.close();
      return this.#reader.done;
    } catch (error) {
      this.#describe(error);
      this.#events.close(error);
      throw error;
    }
  }

  async #send(audio, { url, endpoint, task, token, signal, maxRetryWait, ...options }) {
    const path = `/v1/audio/${task === "translate" ? "translations" : "transcriptions"}`;
    const address = endpoint === undefined ? addressOf(path, url) : addressOf(endpoint, "");
    const recording = await abortable(recordingOf(audio), signal);
    const request = await abortable(requestOf(address, recording, { stream: true, ...options }), signal);
    try {
      await send(request, this.#reader, { token, signal, maxRetryWait, emit: (event) => this.#emit(event) });
      this.#reader.end();
    } catch (error) {
      // What is complete stays complete, whatever happens to the connection afterwards.
      if (!this.#reader.done) throw error;
    }
  }

  #emit(event) {
    if (event.type === "response") this.response = event.response;
    this.#events.push(event);
    // An exception in it is the page's own, as in any listener.
    queueMicrotask(() => this.#onEvent?.(event));
  }

  /** Adds to an error what was heard before it. */
  #describe(error) {
    const { heard } = this.#reader;
    if (!(error instanceof VoxgateError) || heard === "") return;
    error.partial ??= { text: heard };
    error.maybeCharged = true;
  }
}

/** The events that wait for their reader. Of progress events in a row only the last one is kept. */
class EventQueue {
  #events = [];
  #waiting = [];
  #isClosed = false;
  #error = null;

  push(event) {
    const isSuperseded = event.type === "upload.progress" && this.#events.at(-1)?.type === event.type;
    if (isSuperseded) this.#events.pop();
    this.#events.push(event);
    this.#waiting.shift()?.(this.next());
  }

  close(error = null) {
    this.#isClosed = true;
    this.#error = error;
    for (const resolve of this.#waiting.splice(0)) resolve(this.next());
  }

  async next() {
    if (this.#events.length > 0) return { done: false, value: this.#events.shift() };
    if (!this.#isClosed) return new Promise((resolve) => this.#waiting.push(resolve));
    const error = this.#error;
    this.#error = null;
    if (error) throw error;
    return { done: true, value: undefined };
  }
}

/** Browsers send streams over HTTP/2 alone, and tell no progress of them. So pages collect them. */
const sendsStreams = typeof location === "undefined";

/** Turns whatever `transcribe` takes into a `Blob`, or into a stream where one can be sent. */
async function recordingOf(given) {
  const audio = await given;
  if (audio instanceof Recording) return audio.stop();
  if (audio instanceof Blob) return audio;
  if (audio instanceof ArrayBuffer || ArrayBuffer.isView(audio)) return new Blob([audio]);
  if (isStream(audio)) return sendsStreams ? audio : new Response(audio).blob();
  if (typeof audio === "string") return decodeDataUrl(audio);
  throw new VoxgateError("The recording must be a Blob, a File, bytes, a data: URL or a stream.", { code: "invalid_audio" });
}

/** A `fetch` of the same address would be stopped by a `connect-src` that does not list `data:`. */
function decodeDataUrl(text) {
  const [, type, data] = /^\s*data:([^,]*);base64,(.*)$/is.exec(text) ?? [];
  try {
    return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type });
  } catch (cause) {
    throw new VoxgateError("The text is not a data: URL with base64.", { code: "invalid_base64", cause });
  }
}

/** The request for a recording: options in the query and the recording alone in the body, or all of it as a form. */
async function requestOf(address, recording, options) {
  const names = Object.keys(options).filter((name) => options[name] !== undefined && options[name] !== null);
  const fields = names.flatMap((name) => [...fieldsOf(name, options[name])]);
  if (names.every((name) => QUERY_OPTIONS.includes(name))) {
    const isMedia = /^(audio|video)\//.test(recording.type ?? "");
    const headers = { "Content-Type": isMedia ? recording.type : "application/octet-stream" };
    // The gateway forwards such a body while it arrives.
    return { method: "POST", url: `${address}?${new URLSearchParams(fields)}`, headers, body: recording };
  }
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  const file = isStream(recording) ? await new Response(recording).blob() : recording;
  form.append("file", file, file.name ?? "recording");
  return { method: "POST", url: address, headers: {}, body: form };
}

/** An option as form fields: `name`, `name[]` for each item, `name[member]` for each member. */
function* fieldsOf(name, value) {
  if (Array.isArray(value)) for (const item of value) yield* fieldsOf(`${name}[]`, item);
  else if (typeof value === "object" && value !== null) {
    for (const [member, inner] of Object.entries(value)) yield* fieldsOf(`${name}[${member}]`, inner);
  } else yield [name, String(value)];
}

// ---- The microphone -------------------------------------------------------------------------------------------------

/** In order of preference. Chrome and Firefox record WebM, Safari records MP4. */
const RECORDED_TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4"];

/** The level that counts as silence, in decibels below the loudest. */
const SILENCE_DB = -60;

/** Asks for the microphone and starts to record. */
export async function record(options = {}) {
  const { audio = true, signal } = options;
  signal?.throwIfAborted();
  const microphone = await askForMicrophone(audio, globalThis.MediaRecorder);
  try {
    signal?.throwIfAborted();
    return new Recording(microphone, options);
  } catch (error) {
    release(microphone);
    throw signal?.aborted ? error : microphoneError(error);
  }
}

/** `recorder` is what is to read the microphone, if the browser has it. */
async function askForMicrophone(audio, recorder) {
  if (!globalThis.isSecureContext) throw microphoneError({ name: "SecurityError" });
  if (!navigator.mediaDevices?.getUserMedia || !recorder) throw microphoneError({ name: "NotSupportedError" });
  return navigator.mediaDevices.getUserMedia({ audio }).catch((cause) => Promise.reject(microphoneError(cause)));
}

/** A recording that is being made. Every way in which it ends releases the microphone. */
class Recording {
  #recorder;
  #microphone;
  #meter;
  #chunks = [];
  #started = performance.now();
  #ended = null;
  #cancelled = new AbortController();
  #timer;

  constructor(microphone, { mimeType, bitsPerSecond, maxSeconds, onLevel, signal }) {
    this.#microphone = microphone;
    const type = mimeType ?? RECORDED_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const rate = bitsPerSecond === undefined ? {} : { audioBitsPerSecond: bitsPerSecond };
    this.#recorder = new MediaRecorder(microphone, { ...rate, ...(type && { mimeType: type }) });
    this.blob = this.#record(signal);
    this.blob.catch(() => {});
    this.#recorder.start();
    this.#meter = new LevelMeter(microphone);
    if (maxSeconds !== undefined) this.#timer = setTimeout(() => this.stop(), maxSeconds * 1000);
    if (onLevel) this.#watch(onLevel);
  }

  get isRecording() {
    return this.#ended === null;
  }

  get elapsed() {
    return ((this.#ended ?? performance.now()) - this.#started) / 1000;
  }

  get level() {
    return this.isRecording ? this.#meter.level : 0;
  }

  stop() {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    return this.blob;
  }

  cancel(reason) {
    this.#cancelled.abort(reason);
  }

  #record(signal) {
    const recorder = this.#recorder;
    const ended = new Promise((resolve, reject) => {
      recorder.ondataavailable = ({ data }) => this.#chunks.push(data);
      recorder.onerror = ({ error }) => reject(microphoneError(error));
      recorder.onstop = () => resolve(new Blob(this.#chunks, { type: recorder.mimeType }));
    });
    const either = AbortSignal.any([this.#cancelled.signal, signal].filter(Boolean));
    return abortable(ended, either).finally(() => this.#release());
  }

  #release() {
    this.#ended = performance.now();
    this.#chunks = [];
    clearTimeout(this.#timer);
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    release(this.#microphone);
    this.#meter.close();
  }

  #watch(onLevel) {
    if (!this.isRecording) return;
    onLevel(this.level, this.elapsed);
    requestAnimationFrame(() => this.#watch(onLevel));
  }
}

/** The loudness of a microphone, from 0 to 1 in equal steps of decibels. Without Web Audio it is always 0. */
class LevelMeter {
  #context = null;
  #analyser = null;
  #samples = new Float32Array(1024);

  constructor(microphone) {
    if (typeof AudioContext === "undefined") return;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    this.#context.createMediaStreamSource(microphone).connect(this.#analyser);
    // Without a click a browser may start it suspended.
    this.#context.resume().catch(() => {});
  }

  get level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    return Math.min(1, Math.max(0, 1 - (10 * Math.log10(power)) / SILENCE_DB));
  }

  close() {
    this.#context?.close().catch(() => {});
  }
}

function release(microphone) {
  for (const track of microphone.getTracks()) track.stop();
}

/** The code and the words for each exception of a browser. */
const MICROPHONE_ERRORS = {
  NotAllowedError: ["microphone_denied", "The microphone is blocked. Allow it for this page in the browser's settings."],
  NotFoundError: ["microphone_not_found", "There is no microphone. Connect one and try again."],
  OverconstrainedError: ["microphone_not_found", "No microphone can do what was asked of it."],
  NotReadableError: ["microphone_busy", "The microphone cannot be read. Another program may be using it."],
  NotSupportedError: ["recording_unsupported", "This browser cannot record."],
  SecurityError: ["insecure_context", "Browsers give the microphone only to pages over HTTPS or on localhost."],
};

function microphoneError(cause) {
  const [code, message] = MICROPHONE_ERRORS[cause?.name] ?? ["recording_failed", `The recording failed. ${cause?.message ?? ""}`];
  return new VoxgateError(message.trim(), { code, cause });
}

// ---- Live -----------------------------------------------------------------------------------------------------------

/** What the live sessions use of this module. */
const SHARED = {
  EventParser, LevelMeter, RECORDED_TYPES, VoxgateError, abortable, addressOf, askForMicrophone, connectionError, errorOf,
  isStream, microphoneError, parseObject, release, send, sleep, wrongAnswer,
};

/** Opens a live session: sound goes up while it is spoken, and words come down. */
export async function live(options = {}) {
  const { start } = await import("./voxgate/live.js").catch((cause) => Promise.reject(connectionError(false, cause)));
  return start(options, SHARED);
}

// ---- Other routes ---------------------------------------------------------------------------------------------------

export async function models(options) {
  return (await get("/v1/models", options)).data;
}

export function usage({ month, ...options } = {}) {
  return get(`/v1/usage${month === undefined ? "" : `?month=${encodeURIComponent(month)}`}`, options);
}

export function requestUsage(requestId, options) {
  return get(`/v1/usage/requests/${encodeURIComponent(requestId)}`, options);
}

async function get(path, { url, signal = new AbortController().signal, ...options } = {}) {
  let text = "";
  const reader = { begin: () => {}, push: (chunk) => (text += chunk) };
  await send({ method: "GET", url: addressOf(path, url), headers: {} }, reader, { ...options, signal });
  return parseObject(text) ?? Promise.reject(wrongAnswer());
}

/** Subtitles from segments with times, as `verbose_json` and `diarized_json` have them. `format` is `srt` or `vtt`. */
export function subtitles(segments, format = "vtt") {
  const isVtt = format === "vtt";
  const time = (seconds) => {
    const ms = Math.round(Math.min(Math.max(seconds, 0), 359_999.999) * 1000) || 0;
    const text = String(Math.floor(ms / 3.6e6)).padStart(2, "0") + new Date(ms % 3.6e6).toISOString().slice(13, 23);
    return isVtt ? text : text.replace(".", ",");
  };
  const escape = (text) => (isVtt ? text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;") : text);
  const cues = segments.map(({ start, end, text, speaker }, index) => {
    // A blank line within a cue would end it.
    const words = escape(`${speaker ? `${speaker}: ` : ""}${text.trim().replace(/\s*\n\s*/g, "\n")}`);
    return `${isVtt ? "" : `${index + 1}\n`}${time(start)} --> ${time(end)}\n${words}\n`;
  });
  return (isVtt ? ["WEBVTT\n", ...cues] : cues).join("\n");
}
