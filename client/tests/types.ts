// What the types allow, and what they refuse. Checked by tests/api/client_module.rs.

import { VoxgateError, live, models, record, requestUsage, subtitles, transcribe, usage } from "@voxgate/client";
import type { Done, LiveEvent, LiveSession, LiveState, Recording, Token, TranscribeOptions, TranscriptEvent, Transcription } from "@voxgate/client";

declare const blob: Blob;
declare const session: { token: string };

export async function page(): Promise<string> {
  const recording: Recording = await record({ maxSeconds: 60, audio: { deviceId: "one" }, onLevel: (level, elapsed) => level + elapsed });
  const token: Token = async ({ renew }) => (renew ? "new" : session.token);
  const transcription: Transcription = transcribe(recording, { token, model: "gpt-transcribe", keywords: ["Voxgate"] });
  for await (const event of transcription) show(event);
  const done: Done = await transcription.result;
  const id: string | null | undefined = transcription.response?.requestId;
  console.log(subtitles(done.segments ?? [], "srt"), id, transcription.response?.rateLimits.requests?.remaining);
  return transcription.text;
}

function show(event: TranscriptEvent): string | number {
  switch (event.type) {
    case "transcript.text.delta":
      return event.delta;
    case "transcript.text.segment":
      return `${event.speaker}: ${event.text}`;
    case "transcript.text.done":
      return event.text;
    case "upload.progress":
      return event.loaded / event.total;
    case "voxgate.progress":
      return event.pieces ?? event.pieces_done;
    case "retry":
      return `${event.after} ${event.error.code}`;
    case "response":
      return event.response.status;
    default:
      return event satisfies never;
  }
}

export const sources = [blob, new ArrayBuffer(1), new Uint8Array(1), blob.stream(), "data:audio/wav;base64,", blob.arrayBuffer()].map(
  (source) => transcribe(source, { signal: AbortSignal.timeout(1), maxRetryWait: 0, onEvent: show }).text,
);

export const options: TranscribeOptions = {
  url: new URL("https://voice.example.com"),
  task: "translate",
  stream: false,
  response_format: "verbose_json",
  timestamp_granularities: ["word", "segment"],
  an_option_of_the_provider: { of: ["any", "kind"] },
};

declare const microphone: MediaStream;
declare const state: LiveState;

export async function dictate(): Promise<string> {
  const session: LiveSession = await live({
    token: ({ renew }) => (renew ? "new" : session.id),
    model: "gpt-transcribe",
    keywords: ["Voxgate"],
    stream: microphone,
    onDelta: (delta, { segment_id }) => console.log(delta.trim(), segment_id),
    onSegment: ({ id, start, end, text }) => console.log(id, start + end, text),
    onError: ({ code, start, end }) => console.log(code, (end ?? 0) - (start ?? 0)),
    onState: (state) => state === "reconnecting" && console.log(session.unsent),
    onEvent: told,
  });
  console.log(session.textSoFar, session.level, session.elapsed, session.state === state);
  const done: Done = await session.stop();
  return done.text;
}

function told(event: LiveEvent): string | number | null {
  switch (event.type) {
    case "transcript.text.delta":
      return event.delta;
    case "transcript.text.segment":
      return event.end;
    case "transcript.text.done":
      return event.text;
    case "voxgate.session":
      return event.error?.code ?? event.id;
    case "error":
      return event.error.start;
    default:
      return event satisfies never;
  }
}

export const sounds = [blob.stream(), [new Uint8Array(1)], [new Int16Array(1)]].map((source) => live({ source, sampleRate: 16_000, channels: 2 }));

export async function others(): Promise<unknown[]> {
  const [first] = await models({ token: "a-token" });
  const isLive = first?.voxgate?.live === "realtime" || first?.voxgate?.live === "segments";
  return [first?.id, isLive, first?.voxgate?.formats, await usage({ month: "2026-11" }), await requestUsage("an-id", { url: "https://voice.example.com" })];
}

export function explain(error: unknown): string {
  if (!(error instanceof VoxgateError)) throw error;
  const { status, code, requestId, retryAfter, partial, maybeCharged } = error;
  return [status, code, requestId, retryAfter, partial?.missing?.[0]?.start, maybeCharged].join(" ");
}

// @ts-expect-error: a number is no recording
transcribe(7);
// @ts-expect-error: there is no such format
transcribe(blob, { response_format: "docx" });
// @ts-expect-error: a function without a result is no token
transcribe(blob, { token: () => {} });
// @ts-expect-error: three channels are too many
live({ source: blob.stream(), sampleRate: 48_000, channels: 3 });
// @ts-expect-error: a recording is no live sound
live({ source: blob });
// @ts-expect-error: subtitles are srt or vtt
subtitles([], "ass");
// @ts-expect-error: only `record` makes recordings
new Recording();
// @ts-expect-error: facts are read only
new VoxgateError("No.").status = 7;
