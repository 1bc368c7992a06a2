// A server that gives prepared answers, and words that the tests share.

import http from "node:http";

export const bytes = (text) => new TextEncoder().encode(text);

export const frame = (event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`;

export const stream = (...events) => ({ headers: { "content-type": "text/event-stream" }, body: events.map(frame).join("") });

export const refusal = (status, code, headers = {}, more = {}) => ({
  status,
  headers: { "content-type": "application/json", "x-request-id": "request-1", ...headers },
  body: JSON.stringify({ error: { message: `No: ${code}.`, type: "server_error", param: null, code, ...more } }),
});

export const DELTAS = ["Où ", "est-", "🦊 ?"].map((delta) => ({ type: "transcript.text.delta", delta }));
export const TEXT = "Où est-🦊 ?";
export const DONE = { type: "transcript.text.done", text: TEXT };
export const EVENTS = [...DELTAS, DONE];
export const SERVED = stream(...EVENTS, "[DONE]");

/** Answers each request with the next of `answers`; a function is given the response to write. Keeps the requests. */
export async function serve(...answers) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the client is gone
    }
    seen.push({ url: request.url, method: request.method, headers: request.headers, body: Buffer.concat(chunks) });
    const answer = answers.shift() ?? refusal(500, "no_answer_prepared");
    if (typeof answer === "function") return answer(response);
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, seen, close };
}

/** Everything that an iterable gives, and the error that it ends with. */
export async function all(items) {
  const list = [];
  try {
    for await (const item of items) list.push(item);
    return { list, error: null };
  } catch (error) {
    return { list, error };
  }
}

export async function failure(promise) {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error) => error,
  );
}
