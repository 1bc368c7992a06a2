// What of the gateway's answer reaches the page: its status, its body as it comes, and these headers.

import { UNKEPT } from "./refusal.ts";

const HEADERS = ["content-type", "x-request-id", "retry-after", "retry-after-ms", "x-should-retry", "x-voxgate-provider"];

export function passed(answer: Response): Response {
  // nginx, where it stands before this server, would otherwise collect a stream before it sends it on.
  const headers = new Headers({ ...UNKEPT, "X-Accel-Buffering": "no" });
  for (const name of HEADERS) {
    const value = answer.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(answer.body, { status: answer.status, headers });
}
