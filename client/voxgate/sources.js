import { PROCESSOR, define } from "./processor.js";
import { LIMITS, shared } from "./shared.js";

/** The rate that recognisers work at. */
const SAMPLE_RATE = 16_000;
/** The highest rate that the gateway takes. */
const MAX_SAMPLE_RATE = 48_000;
const BYTES_PER_SAMPLE = 2;

/**
 * Opens the sound that a page asks for. A source pushes bytes into `sink`. Its `bytesPerSecond` is `null` if only a decoder
 * can tell, `stop` resolves when the last bytes are there, and `close` ends it at once.
 */
export async function openSource(options, signal, sink) {
  if (options.source !== undefined) return new PcmSource(options, sink);
  const { stream, audio = true } = options;
  const microphone = stream ?? (await shared.askForMicrophone(audio, globalThis.AudioContext ?? globalThis.MediaRecorder));
  // The page's own stream stays its own.
  const release = () => stream || shared.release(microphone);
  try {
    signal.throwIfAborted();
    const source = (await WorkletSource.open(microphone, release, sink)) ?? new RecorderSource(microphone, release, sink);
    for (const track of microphone.getAudioTracks()) track.addEventListener("ended", () => sink.end());
    source.microphone = microphone;
    return source;
  } catch (error) {
    release();
    throw signal.aborted ? error : shared.microphoneError(error);
  }
}

/** Samples of the page's own, from an iterable or a stream of bytes. */
class PcmSource {
  #iterator;
  #isOver = false;
  #bytes = 0;

  constructor({ source, sampleRate, channels = 1 }, sink) {
    const iterate = source?.[Symbol.asyncIterator] ?? source?.[Symbol.iterator];
    if (!(iterate || shared.isStream(source)) || !Number.isInteger(sampleRate)) {
      const message = "A source is a stream or an iterable of bytes (16-bit samples), and has a sampleRate.";
      throw new shared.VoxgateError(message, { code: "invalid_audio" });
    }
    this.format = { audio_format: "pcm16", sample_rate: sampleRate, channels };
    this.frameBytes = BYTES_PER_SAMPLE * channels;
    this.bytesPerSecond = sampleRate * this.frameBytes;
    this.#iterator = iterate ? iterate.call(source) : readerOf(source);
    this.#pull(sink).then(() => sink.end(), (error) => this.#isOver || sink.fail(error));
  }

  get elapsed() {
    return this.#bytes / this.bytesPerSecond;
  }

  async #pull(sink) {
    for (;;) {
      const { value, done } = await this.#iterator.next();
      if (done || this.#isOver) return;
      const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
      this.#bytes += bytes.length;
      // Whoever gave it may use its memory again.
      sink.push(bytes.slice());
      await sink.room();
    }
  }

  async stop() {
    this.close();
  }

  close() {
    if (this.#isOver) return;
    this.#isOver = true;
    // It may be in the middle of a step that never ends.
    Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }
}

/** Not every browser can iterate a stream. */
function readerOf(stream) {
  const reader = stream.getReader();
  return { next: () => reader.read(), return: () => reader.cancel() };
}

/** The samples of a microphone, by an AudioWorklet. */
class WorkletSource {
  #context;
  #node;
  #release;
  #bytes = 0;
  #flushed;

  /** Returns nothing where the browser cannot, or the page's policy does not allow it. */
  static async open(microphone, release, sink) {
    if (typeof AudioWorkletNode === "undefined") return null;
    const { context, input } = connect(microphone);
    const step = Math.ceil(context.sampleRate / MAX_SAMPLE_RATE);
    const node = await nodeIn(context, step);
    if (node) return new WorkletSource(context, input, node, step, release, sink);
    context.close().catch(() => {});
    return null;
  }

  constructor(context, input, node, step, release, sink) {
    this.#context = context;
    this.#node = node;
    this.#release = release;
    this.format = { audio_format: "pcm16", sample_rate: Math.round(context.sampleRate / step), channels: 1 };
    this.frameBytes = BYTES_PER_SAMPLE;
    this.bytesPerSecond = this.format.sample_rate * BYTES_PER_SAMPLE;
    this.#flushed = new Promise((resolve) => {
      node.port.onmessage = ({ data }) => {
        if (data === null) return resolve();
        this.#bytes += data.byteLength;
        sink.push(new Uint8Array(data));
      };
    });
    input.connect(node);
    // A browser runs what leads to its output. What comes out here is silence.
    node.connect(context.destination);
    // Without a click a browser may start it suspended, and a call on a phone suspends it.
    const run = () => context.state === "running" || context.state === "closed" || context.resume().catch(() => {});
    context.onstatechange = run;
    run();
  }

  get elapsed() {
    return this.#bytes / this.bytesPerSecond;
  }

  async stop() {
    this.#node.port.postMessage("stop");
    // A context that does not run answers nothing.
    await Promise.race([this.#flushed, new Promise((resolve) => setTimeout(resolve, 1000))]);
    this.close();
  }

  close() {
    if (this.#context.state !== "closed") this.#context.close().catch(() => {});
    this.#release();
  }
}

/** Firefox connects no microphone to a context of another rate. */
function connect(microphone) {
  for (const wish of [{ sampleRate: SAMPLE_RATE }, {}]) {
    const context = new AudioContext(wish);
    try {
      return { context, input: context.createMediaStreamSource(microphone) };
    } catch (error) {
      context.close().catch(() => {});
      if (!wish.sampleRate) throw error;
    }
  }
}

/** Loads the processor from its file, which any policy allows that allows this one, or else from its text. */
async function nodeIn(context, step) {
  const frames = Math.round((context.sampleRate / step) * LIMITS.batch);
  const options = { channelCount: 1, channelCountMode: "explicit", outputChannelCount: [1], processorOptions: { step, frames } };
  const file = () => new URL("./processor.js", import.meta.url).href;
  const text = () => URL.createObjectURL(new Blob([`(${define})("${PROCESSOR}")`], { type: "text/javascript" }));
  for (const place of [file, text]) {
    let address;
    try {
      address = place();
      await context.audioWorklet.addModule(address);
      return new AudioWorkletNode(context, PROCESSOR, options);
    } catch {
      // The other place may do.
    } finally {
      URL.revokeObjectURL(address);
    }
  }
  return null;
}

/** A microphone as MediaRecorder records it, where there is no AudioWorklet. */
class RecorderSource {
  #microphone;
  #release;
  #sink;
  #recorder;
  #began = performance.now();
  #ended = null;
  /** Chunks become bytes one after another. */
  #queue = Promise.resolve();
  format = { audio_format: "auto" };
  bytesPerSecond = null;
  /** Where the recording begins: in all bytes, and in seconds. */
  recordingFrom = 0;
  recordingOffset = 0;

  constructor(microphone, release, sink) {
    if (!globalThis.MediaRecorder) throw { name: "NotSupportedError" };
    this.#microphone = microphone;
    this.#release = release;
    this.#sink = sink;
    this.#record();
  }

  get elapsed() {
    return ((this.#ended ?? performance.now()) - this.#began) / 1000;
  }

  /** Begins another recording, which has a header of its own. */
  restart(position) {
    const before = this.#recorder;
    this.recordingFrom = position;
    this.recordingOffset = this.elapsed;
    this.#record();
    if (before.state !== "inactive") before.stop();
  }

  #record() {
    const mimeType = shared.RECORDED_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(this.#microphone, mimeType && { mimeType });
    this.#recorder = recorder;
    recorder.ondataavailable = ({ data }) => {
      this.#queue = this.#queue.then(async () => {
        const bytes = new Uint8Array(await data.arrayBuffer());
        if (recorder === this.#recorder) this.#sink.push(bytes);
      });
    };
    recorder.onerror = ({ error }) => this.#sink.fail(shared.microphoneError(error));
    recorder.start(LIMITS.batch * 1000);
  }

  async stop() {
    const recorder = this.#recorder;
    if (recorder.state !== "inactive") {
      const stopped = new Promise((resolve) => (recorder.onstop = resolve));
      recorder.stop();
      await stopped;
    }
    await this.#queue;
    this.close();
  }

  close() {
    this.#ended ??= performance.now();
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    this.#release();
  }
}
