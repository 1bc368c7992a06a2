// Errors of these routes, in the shape that the gateway's have, so that a page has one shape to read.

/** Nothing that is answered here may be kept, and nothing may be held back to be compressed. */
export const UNKEPT = { "Cache-Control": "no-store, no-transform" };

export function refusal(status: number, code: string, message: string): Response {
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return Response.json({ error: { message, type, param: null, code } }, { status, headers: UNKEPT });
}
