// The two ways from the page to a transcript. Both give the same events and the same errors.

import { transcribe, type Token, type Transcription } from "@voxgate/client";

/** Through this server: the page has no token, and the gateway needs to be reached by this server alone. */
export function throughServer(recording: Blob, signal: AbortSignal): Transcription {
  return transcribe(recording, { endpoint: "/api/voxgate/transcribe", signal });
}

/** To the gateway itself, by a token for some minutes. `/v1` is of the page's own origin, so nothing has to allow it. */
export function toGateway(recording: Blob, signal: AbortSignal): Transcription {
  const transcription = transcribe(recording, { url: "", token, model: "gpt-transcribe", signal });
  // It was ended, or what it may cost is used up: the next recording gets another.
  transcription.text.catch(({ status }: { status?: number }) => {
    if (status === 401 || status === 429) session = null;
  });
  return transcription;
}

// In memory alone: what is in localStorage outlives the page, and any script of the page reads it.
let session: { token: string; expires_at: number } | null = null;

const token: Token = async ({ renew }) => {
  if (renew || session === null || session.expires_at * 1000 < Date.now() + 30_000) {
    const answer = await fetch("/api/voxgate/session", { method: "POST" });
    const body = (await answer.json()) as { token: string; expires_at: number; error?: { message: string } };
    if (!answer.ok) throw new Error(body.error?.message ?? `The server answered with ${answer.status}.`);
    session = body;
  }
  return session.token;
};
