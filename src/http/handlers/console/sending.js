// One recording on its way: sent by the module, and all that happens to it noted on its item.

import { requestUsage, transcribe, usage, VoxgateError } from "../voxgate.js";
import { isSegment, segmentsOf } from "./exports.js";
import { token } from "./token.js";

/** The gateway's address. The page may be served below a path. */
export const base = new URL("../", import.meta.url).href;

/** The same for the module, with the caller's token; it repeats nothing by itself, so that the page can tell of each wait. */
export const gateway = (more = {}) => ({ url: base.replace(/\/$/, ""), token: token() ?? "", maxRetryWait: -1, ...more });

/** When to look for what a request cost: settling takes moments. In milliseconds after the answer. */
const LOOKS = [150, 400, 1000, 2000, 4000, 8000];

/** Why costs are not shown, by the code of the refusal. */
const NO_COST = {
  __proto__: null,
  insufficient_scope: "The token does not have the scope usage, so the page cannot show what this cost.",
  not_found: "This gateway does not tell what a single request cost.",
};

/** Sends an item and returns when it is done, failed or cancelled. `changed` hears of each step. */
export async function send(item, changed) {
  const { streams, ...options } = item.call;
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  Object.assign(item, fresh(), { state: "sending" });
  changed("began");
  const transcript = transcribe(item.blob, gateway({ ...options, signal: item.controller.signal }));
  try {
    for await (const event of transcript) {
      note(item, event, since());
      changed(event.type);
    }
    item.state = "done";
    item.lastAt ??= since();
  } catch (error) {
    item.lastAt = since();
    item.response ??= error.response ?? null;
    const told = item.controller.signal.aborted ? null : await explained(asError(error), item.blob);
    Object.assign(item, { state: told ? "failed" : "cancelled", error: told });
    if (item.error?.partial?.text) item.text = item.error.partial.text;
  }
  changed("ended");
}

/** What an item has before it is sent. */
export function fresh() {
  return {
    state: "waiting",
    controller: new AbortController(),
    upload: null,
    pieces: null,
    response: null,
    text: "",
    segments: [],
    done: null,
    error: null,
    firstAt: null,
    lastAt: null,
    record: null,
    month: null,
    costSaid: null,
  };
}

function note(item, event, at) {
  switch (event.type) {
    case "upload.progress":
      item.upload = event;
      break;
    case "response":
      item.response = event.response;
      break;
    case "voxgate.progress":
      item.pieces = event;
      break;
    case "transcript.text.delta":
      item.firstAt ??= at;
      item.text += event.delta;
      break;
    case "transcript.text.segment":
      item.firstAt ??= at;
      if (item.call.response_format === "diarized_json" && isSegment(event)) item.segments.push({ ...event, words: [] });
      break;
    case "transcript.text.done":
      item.firstAt ??= at;
      item.lastAt = at;
      item.done = event;
      item.text = event.text;
      finish(item);
  }
}

function finish(item) {
  const found = segmentsOf(item.done, item.call.response_format);
  if (found.length > 0) item.segments = found;
}

export function asError(error) {
  return error instanceof VoxgateError ? error : new VoxgateError(`The page failed: ${error.message}`, { code: "page_failed", cause: error });
}

/** A browser tells of a file that was moved or changed as of a connection that is lost. */
async function explained(error, blob) {
  if (error.code !== "connection_lost") return error;
  try {
    // Of a file that was removed, Chromium gives an empty part.
    const { byteLength } = await blob.slice(0, 1).arrayBuffer();
    if (byteLength === 0) await blob.arrayBuffer();
    return error;
  } catch (cause) {
    const message = "It was moved, changed or removed after it was chosen, or the browser may not read it.";
    return new VoxgateError(message, { code: "recording_unreadable", maybeCharged: error.maybeCharged, cause });
  }
}

/** Asks what the request did and cost, until it is settled, and what is left of the month. */
export async function account(item, changed) {
  const id = item.response?.requestId;
  const given = token();
  const isCurrent = () => item.response?.requestId === id && token() === given;
  if (!id) return;
  for (const wait of LOOKS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (!isCurrent()) return;
    try {
      item.record = await requestUsage(id, gateway());
      item.costSaid = item.record.status === "open" ? "The provider's usage is not known yet: the cost is an estimate." : null;
    } catch (error) {
      item.costSaid = NO_COST[error.code] ?? `The cost is not known. ${error.message}`;
      // Moments after its answer a request may not be in the ledger yet.
      if (error.status !== 404 || error.code === "not_found") break;
    }
    if (item.record) changed("account");
    if (item.record && item.record.status !== "open") break;
  }
  try {
    item.month = await usage(gateway());
  } catch {
    item.month = null; // It is refused for the same reason as the cost, which is told above.
  }
  if (isCurrent()) changed("account");
}
