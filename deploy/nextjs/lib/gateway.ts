// What this server says to the gateway. On the server alone: the backend's token is here.

import type { User } from "./current-user.ts";
import { refusal } from "./refusal.ts";

/** What one session may do. What a user may do in all is said by their plan, at the gateway. */
const TERMS = {
  ttl_seconds: 300,
  scope: "transcribe",
  max_usd: "0.10",
  max_audio_seconds: 900,
};

/** A session of the gateway's, as far as a page may know it. */
export interface Session {
  token: string;
  /** Seconds since 1970. */
  expires_at: number;
}

/** A token for this user alone, or the answer that the page gets in its place. */
export async function openSession(user: User, signal: AbortSignal): Promise<Session | Response> {
  const token = process.env.VOXGATE_BACKEND_TOKEN;
  if (!process.env.VOXGATE_URL || !token) {
    console.error("VOXGATE_URL and VOXGATE_BACKEND_TOKEN must be set");
    return refusal(500, "not_configured", "The server does not know its gateway.");
  }
  // The name says whose user it is: another backend of the same gateway may have a user of the same id.
  const wish = { subject: `web:${user.id}`, ...TERMS };
  const answer = await ask("/v1/sessions", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(wish),
    signal,
  });
  if (answer.status === 201) {
    // Nothing else of the answer is the page's business.
    const { token, expires_at } = (await answer.json()) as Session;
    return { token, expires_at };
  }
  // Too many at once, or no gateway to say so: the page may try again, and the answer says when.
  if (answer.status === 429 || answer.status >= 500) return answer;
  // It is our own token or our own wish that is wrong. A 401 would tell the page that its user must log in again.
  console.error("the gateway opens no session:", answer.status, await answer.text());
  return refusal(500, "no_session", "The server could not open a session.");
}

/** Asks the gateway. If there is none, the answer says so. */
export async function ask(path: string, init: RequestInit & { duplex?: "half" }): Promise<Response> {
  try {
    // A redirect would take the token and the recording to somewhere else.
    return await fetch(new URL(path, process.env.VOXGATE_URL), { ...init, redirect: "error", cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) return refusal(499, "client_gone", "The client is gone.");
    console.error("the gateway was not reached:", error);
    return refusal(502, "gateway_unreachable", "The gateway could not be reached. Please try again.");
  }
}
