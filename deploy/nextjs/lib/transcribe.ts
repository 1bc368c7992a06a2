// The two ways from the page to a transcript. Both give the same answer: lib/transcript.ts reads it.

/** Through this server: the page has no token, and the gateway needs to be reached by this server alone. */
export function throughServer(recording: Blob, signal: AbortSignal): Promise<Response> {
  return fetch("/api/voxgate/transcribe", { method: "POST", body: recording, signal });
}

let session: { token: string; expires_at: number } | null = null;

/** To the gateway itself, by a token for some minutes. `/v1` is of the page's own origin, so nothing has to allow it. */
export async function toGateway(recording: Blob, signal: AbortSignal): Promise<Response> {
  // In memory alone: what is in localStorage outlives the page, and any script of the page reads it.
  if (session === null || session.expires_at * 1000 < Date.now() + 30_000) {
    const answer = await fetch("/api/voxgate/session", { method: "POST", signal });
    if (!answer.ok) return answer;
    session = (await answer.json()) as { token: string; expires_at: number };
  }
  const answer = await fetch("/v1/audio/transcriptions?model=gpt-transcribe&stream=true", {
    method: "POST",
    headers: { Authorization: `Bearer ${session.token}`, "Content-Type": recording.type || "application/octet-stream" },
    body: recording,
    signal,
  });
  // It was ended, or what it may cost is used up: the next recording gets another.
  if (answer.status === 401 || answer.status === 429) session = null;
  return answer;
}
