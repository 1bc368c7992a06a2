/** A recording to send. A page collects a stream before it sends it; Node does if options go in a form. */
export type AudioSource = Blob | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array> | Recording | string;

/**
 * A token, or a function that gives one. The module calls the function once for each request, and once more with
 * `renew: true` if the gateway says that the token has expired.
 */
export type Token = string | ((request: { renew: boolean }) => string | Promise<string>);

/** Options of every function that sends a request. */
export interface RequestOptions {
  /** The address of the gateway. The default is where this `voxgate.js` came from, or else the page's own origin. */
  url?: string | URL;
  token?: Token;
  signal?: AbortSignal;
  /** The longest wait in seconds before a 429 or 503 is repeated; the default is 30, and a negative one turns this off. */
  maxRetryWait?: number;
}

/** Options of the API, by its own names. The gateway passes others on to the provider. */
export interface ApiOptions {
  model?: string;
  response_format?: "json" | "text" | "srt" | "vtt" | "verbose_json" | "diarized_json";
  /** The default is `true`. The gateway makes events for models that cannot stream. */
  stream?: boolean;
  language?: string;
  languages?: string[];
  keywords?: string[];
  prompt?: string;
  temperature?: number;
  include?: string[];
  timestamp_granularities?: ("word" | "segment")[];
  chunking_strategy?: "auto" | Record<string, unknown>;
  known_speaker_names?: string[];
  /** Samples of the speakers, as `data:` URLs. */
  known_speaker_references?: string[];
  [option: string]: unknown;
}

export interface TranscribeOptions extends RequestOptions, ApiOptions {
  /** `translate` gives English text. */
  task?: "transcribe" | "translate";
  /** A route of your own server in place of the gateway's. It gets the same request. */
  endpoint?: string;
  /** Called with each event, for a page that awaits the text alone. */
  onEvent?: (event: TranscriptEvent) => void;
}

export interface Delta {
  type: "transcript.text.delta";
  delta: string;
  segment_id?: string;
  logprobs?: unknown[];
}

/** A segment of one speaker. */
export interface SpeakerSegment extends Segment {
  type: "transcript.text.segment";
}

/** The whole text, with the other members of the answer. A whole answer (`stream: false`) is this one event. */
export interface Done {
  type: "transcript.text.done";
  text: string;
  usage?: { type: string; [member: string]: unknown };
  duration?: number;
  language?: string;
  segments?: Segment[];
  words?: { word: string; start: number; end: number }[];
  [member: string]: unknown;
}

/** How much of the recording is sent, in bytes. Browsers tell it; Node and service workers do not. */
export interface UploadProgress {
  type: "upload.progress";
  loaded: number;
  total: number;
}

/** How much of a recording in pieces is transcribed. */
export interface PieceProgress {
  type: "voxgate.progress";
  pieces_done: number;
  /** `null` while it is not known. */
  pieces: number | null;
  /** The position up to which the text is complete. */
  audio_ms: number;
  total_ms: number;
}

/** The gateway refused the request with 429 or 503, and the module repeats it. */
export interface Retry {
  type: "retry";
  /** Seconds. */
  after: number;
  /** The number of the attempt to come: 2 or 3. */
  attempt: number;
  error: VoxgateError;
}

/** The head of the answer has come. */
export interface ResponseEvent {
  type: "response";
  response: ResponseFacts;
}

/** An event of a transcription. There may be others: ignore a type that you do not know. */
export type TranscriptEvent = Delta | SpeakerSegment | Done | UploadProgress | PieceProgress | Retry | ResponseEvent;

/** A stretch of speech, in seconds. */
export interface Segment {
  start: number;
  end: number;
  text: string;
  speaker?: string;
  [member: string]: unknown;
}

/** The head of an answer. A header that is missing is `null`. */
export interface ResponseFacts {
  status: number;
  requestId: string | null;
  provider: string | null;
  attempts: number | null;
  pieces: number | null;
  speechMs: number | null;
  /** What is left of each rate now, and the seconds until all of it is back. Only rates that the plan limits. */
  rateLimits: { requests?: RateLimit; audio?: RateLimit };
  /** Seconds. */
  retryAfter: number | null;
  headers: Headers;
}

export interface RateLimit {
  remaining: number;
  reset: number;
}

/**
 * Sends a recording. The work starts at once.
 *
 * Read the events, await the text, or both: an error reaches whoever reads, and is reported nowhere else. Only one loop
 * gets each event. A loop that is left before the text is complete cancels the request.
 */
export function transcribe(audio: AudioSource | Promise<AudioSource>, options?: TranscribeOptions): Transcription;

export interface Transcription extends AsyncIterable<TranscriptEvent> {
  readonly text: Promise<string>;
  readonly result: Promise<Done>;
  /** The head of the answer, once it has come. */
  readonly response: ResponseFacts | null;
  /** Ends the request. The promises reject with the reason, by default an `AbortError`. */
  cancel(reason?: unknown): void;
}

export interface RecordOptions {
  /** Which microphone, and how; the default is `true`. */
  audio?: boolean | MediaTrackConstraints;
  /** The default is the first of WebM and Ogg with Opus, and MP4 with AAC, that the browser records. */
  mimeType?: string;
  bitsPerSecond?: number;
  /** The recording ends by itself after this time. */
  maxSeconds?: number;
  /** Called for each frame of the screen with the level (0 to 1) and the seconds so far. */
  onLevel?: (level: number, elapsed: number) => void;
  /** Cancels the recording. */
  signal?: AbortSignal;
}

/** Asks for the microphone and starts to record. The browser asks the user, unless it has asked before. */
export function record(options?: RecordOptions): Promise<Recording>;

/** A recording that is being made. Every way in which it ends releases the microphone. */
export interface Recording {
  /** The recording, once it has ended: by `stop()`, after `maxSeconds`, or because the microphone is gone. */
  readonly blob: Promise<Blob>;
  readonly isRecording: boolean;
  /** Seconds. */
  readonly elapsed: number;
  /** How loud it is now: 0 is silence (-60 dB), 1 the loudest. */
  readonly level: number;
  /** Ends the recording and returns it. */
  stop(): Promise<Blob>;
  /** Ends the recording and drops it. `blob` rejects with the reason. */
  cancel(reason?: unknown): void;
}

/** Options of a live session. The sound is the microphone's, unless there is a `stream` or a `source`. */
export interface LiveOptions extends RequestOptions {
  model?: string;
  language?: string;
  languages?: string[];
  prompt?: string;
  keywords?: string[];
  /** Which microphone, and how; the default is `true`. */
  audio?: boolean | MediaTrackConstraints;
  /** Sound of the page's own, such as a tab's or a call's. Its tracks go on when the session ends. */
  stream?: MediaStream;
  /** Raw sound: 16-bit samples, little-endian. It is read no further than `maxUnsent` ahead. */
  source?: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | Int16Array | ArrayBuffer> | Iterable<Uint8Array | Int16Array | ArrayBuffer>;
  /** The samples per second of `source`, from 8000 to 48000. */
  sampleRate?: number;
  /** The channels of `source`; the default is 1. */
  channels?: 1 | 2;
  /** Called with each new part of the text. All of them joined are the whole text. */
  onDelta?: (delta: string, event: Delta) => void;
  /** Called with each turn, in seconds of all of the sound. */
  onSegment?: (segment: LiveSegment) => void;
  /**
   * Called with each error. One with `start` and `end` tells of sound that has no words, and the session goes on. After one
   * without it is over, and `result` rejects with the same error.
   */
  onError?: (error: VoxgateError) => void;
  /** Called with each event, also with those that have a function of their own. */
  onEvent?: (event: LiveEvent) => void;
  onState?: (state: LiveState) => void;
  /** Called for each frame of the screen with the level (0 to 1) and the seconds so far. */
  onLevel?: (level: number, elapsed: number) => void;
  /** How many seconds of sound are kept while the gateway takes none, and how long it may be away; the default is 600. */
  maxUnsent?: number;
}

/**
 * `reconnecting`: the connection is broken, sound is kept, and the module tries again. `waiting`: a limit or a busy gateway
 * holds the sound back. `ending`: no more sound is taken, and the last words are awaited.
 */
export type LiveState = "opening" | "listening" | "reconnecting" | "waiting" | "ending" | "ended";

/** A turn: what was said between two pauses. */
export interface LiveSegment extends Segment {
  type: "transcript.text.segment";
  id: string;
}

/** The gateway has lost its session, or ended it after its longest time, and another one goes on. */
export interface LiveReplacement {
  type: "voxgate.session";
  id: string;
  requestId: string | null;
  error: VoxgateError | null;
}

/** An event of a live session. There may be others: ignore a type that you do not know. */
export type LiveEvent = Delta | LiveSegment | Done | LiveReplacement | { type: "error"; error: VoxgateError };

/**
 * Asks for the microphone, and opens a session: words come while they are spoken. What breaks in between goes on where it
 * broke; sound is sent again until its words have come.
 */
export function live(options?: LiveOptions): Promise<LiveSession>;

/** A live session. Every way in which it ends releases the microphone. */
export interface LiveSession {
  /** The gateway's name of the session. It changes if the session has to be replaced. */
  readonly id: string;
  /** The id of the request that opened it: `requestUsage` tells what the session cost. */
  readonly requestId: string | null;
  readonly state: LiveState;
  readonly textSoFar: string;
  /** The seconds of sound so far. */
  readonly elapsed: number;
  /** The seconds of sound that the gateway does not have yet. */
  readonly unsent: number;
  /** How loud the microphone is now: 0 is silence (-60 dB), 1 the loudest. */
  readonly level: number;
  /** The whole text, once the session has ended: by `stop()`, at the end of the source, or because the microphone is gone. */
  readonly result: Promise<Done>;
  /** Takes no more sound, and returns the whole text when its last words have come. */
  stop(): Promise<Done>;
  /** Ends the session and drops what has no words yet. `result` rejects with the reason, by default an `AbortError`. */
  cancel(reason?: unknown): void;
}

/** A refusal by the gateway, a connection or a stream that broke, or a microphone that cannot be used. */
export class VoxgateError extends Error {
  constructor(message: string, facts?: object);
  /** `null` if there was no answer. An error in the middle of a stream has 200. */
  readonly status: number | null;
  /**
   * A code of the gateway (docs/errors.md) or of this module: `connection_lost`, `incomplete`, `invalid_audio`,
   * `invalid_base64`, `invalid_answer`, `redirected`, `microphone_denied`, `microphone_not_found`, `microphone_busy`,
   * `recording_unsupported`, `recording_failed`, `insecure_context`, `live_audio_lost`.
   */
  readonly code: string | null;
  readonly type: string | null;
  /** The option that is wrong. */
  readonly param: string | null;
  readonly requestId: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  /** The part of the transcript that is known, with the stretches of the recording that are missing, in seconds. */
  readonly partial: { text: string; segments?: Segment[]; missing?: { start: number; end: number }[] } | null;
  /**
   * True if the recording may have reached a provider, so that to send it again may cost again: the request was redirected,
   * or the connection or the stream broke; an error within a stream, or with `partial`; `x-should-retry: false`, except
   * for a quota before anything was sent; a 5xx other than 503, `provider_unreachable` and `provider_auth_failed`.
   */
  readonly maybeCharged: boolean;
  readonly response: ResponseFacts | null;
  /** The part of a live session's sound that has no words because of the error, in seconds. */
  readonly start: number | null;
  readonly end: number | null;
}

/** A model that the caller may use. The gateway adds what the model can do. */
export interface Model {
  id: string;
  owned_by: string;
  voxgate?: {
    tasks?: string[];
    formats?: string[];
    options?: string[];
    streams?: boolean;
    timestamps?: unknown;
    live?: "realtime" | "segments" | "none";
    max_seconds?: number | null;
    usd_per_minute?: string | null;
    [member: string]: unknown;
  };
  [member: string]: unknown;
}

/** `GET /v1/models`. */
export function models(options?: RequestOptions): Promise<Model[]>;

/** `GET /v1/usage`. `month` is `YYYY-MM`; the default is the current month. */
export function usage(options?: RequestOptions & { month?: string }): Promise<Record<string, any>>;

/** `GET /v1/usage/requests/{request_id}`: what one of the caller's requests did and cost. */
export function requestUsage(requestId: string, options?: RequestOptions): Promise<Record<string, any>>;

/** Subtitles from segments with times, as `verbose_json` and `diarized_json` have them. The default is `vtt`. */
export function subtitles(segments: readonly Segment[], format?: "srt" | "vtt"): string;
