// POST: a recording in, its transcript out as server-sent events. The page needs no token, and no gateway that it can reach.

import { ask, openSession } from "../../../../lib/gateway.ts";
import { passed } from "../../../../lib/passed.ts";
import { refusal } from "../../../../lib/refusal.ts";
import { visitor } from "../../../../lib/visitor.ts";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

/** What the page may say beside the recording. The model is not among it: this server pays. */
const OPTIONS = ["language"];

export async function POST(request: Request): Promise<Response> {
  const user = await visitor(request);
  if (user instanceof Response) return user;
  if (!request.body) return refusal(400, "no_recording", "The body must be the recording.");
  const session = await openSession(user, request.signal);
  if (session instanceof Response) return passed(session);

  const query = new URLSearchParams({ model: "gpt-transcribe", stream: "true" });
  for (const [name, value] of new URL(request.url).searchParams) if (OPTIONS.includes(name)) query.append(name, value);
  const headers = new Headers({
    Authorization: `Bearer ${session.token}`,
    // What the recording is, is decided by its content; the type only says that the body is one.
    "Content-Type": "application/octet-stream",
  });
  // With it, one that is too large is refused before it is sent.
  const length = request.headers.get("content-length");
  if (length !== null) headers.set("Content-Length", length);
  const answer = await ask(`/v1/audio/transcriptions?${query}`, {
    method: "POST",
    headers,
    // As it arrives: this server holds no recording whole.
    body: request.body,
    duplex: "half",
    // When the page goes, so does the work for it.
    signal: request.signal,
  });
  return passed(answer);
}
