// Errors in the API's own words, and what to do about the usual ones.

import { $, copy, element, plural } from "./dom.js";
import { hasField, reveal } from "./options.js";
import { stretches } from "./exports.js";

const CONVERT = "If it is a recording, convert it first: ffmpeg -i recording -c:a libmp3lame recording.mp3";
const PROVIDER = "The provider failed, not your recording. The gateway has tried what it could. Send it again in a while; the log has the request id.";

/** How often the page itself sends one recording again. */
const MAX_REPEATS = 5;

/** The gateway passes codes of providers on, so a code may be any text: these tables inherit nothing. */
const table = (entries) => Object.assign(Object.create(null), entries);

/** What to do, by code. A function gets the error. */
const ADVICE = table({
  invalid_token: "Paste another token above.",
  token_expired: "Paste another token above; the recording is still here.",
  insufficient_scope: "Ask for a token with this scope: voxgate token --sub alice --scope \"transcribe translate usage\"",
  model_not_allowed: "Choose another model, or ask the operator for a plan that has it.",
  model_not_priced: "Choose another model: a monthly budget needs a price.",
  model_not_found: "Choose another model under Options.",
  unsupported_value: "Change it under Options.",
  invalid_value: "Change it under Options.",
  https_required: "Open this page by https.",
  // A limit of the provider has the provider's name in the answer.
  rate_limit_exceeded: ({ response, maybeCharged }) => (response && !response.provider && !maybeCharged ? "Nothing was spent." : null),
  concurrency_limit_exceeded: "Other requests of this caller are in flight.",
  session_limit_exceeded: "The session has used what it may. Open another one.",
  insufficient_quota: "The budget of the month is used up. It begins again with the next month, or the operator raises it.",
  file_too_large: "Cut or compress it: ffmpeg -i recording -ac 1 -b:a 32k recording.mp3 makes an hour 15 MB.",
  audio_too_long: "Cut it, or choose a model that takes longer recordings.",
  audio_too_short: "Speak for a moment longer.",
  invalid_audio: CONVERT,
  unsupported_media_type: CONVERT,
  provider_unreachable: PROVIDER,
  provider_error: PROVIDER,
  provider_unavailable: PROVIDER,
  provider_timeout: PROVIDER,
  provider_stream_broken: "The text so far is below.",
  provider_auth_failed: "The operator has to look at the provider's key.",
  overloaded: "The gateway has much to do.",
  store_unavailable: "The store that keeps limits is away. Send it again in a while.",
  transcript_incomplete: ({ partial }) => (partial?.missing?.length ? `Missing: ${stretches(partial.missing)}. The rest is below.` : "What was heard is below."),
  connection_lost: ({ maybeCharged }) => (maybeCharged ? null : "Is the gateway running? Then send it again."),
  incomplete: "The text so far is below.",
  recording_unreadable: "Choose the file again.",
  live_disabled: "The operator can turn them on: [live] enabled = true.",
  live_session_deleted: "Another program of this caller ended it.",
  live_too_far_ahead: "The provider is slower than speech. Try another model.",
  redirected: "Open the page at the gateway's own address. Another one may have the recording.",
});

const MAY_COST = "A provider may have had the recording, so sending it again may cost again.";

const TITLES = table({
  connection_lost: ({ maybeCharged }) => (maybeCharged ? "The connection was lost" : "The gateway cannot be reached"),
  invalid_token: "The token is refused",
  token_expired: "The token has expired",
  insufficient_quota: "The month's budget is used up",
  transcript_incomplete: "Not all of it was transcribed",
  recording_unreadable: "The file can no longer be read",
  page_failed: "The page failed",
  live_disabled: "This gateway has no live sessions",
});

const TITLES_BY_STATUS = { 403: "Not allowed", 413: "Too large", 415: "Not a recording that the gateway knows", 429: "Too much at once", 503: "Not available now" };

/** The module's own words mean pages of other origins, too. */
const MESSAGES = table({ connection_lost: ({ maybeCharged, message }) => (maybeCharged ? message : `The browser got no connection to ${location.host}.`) });

const told = (value, error) => (typeof value === "function" ? value(error) : value);

function titleOf(error) {
  const byStatus = error.status >= 500 ? "The transcription failed" : "The gateway refused it";
  return told(TITLES[error.code], error) ?? TITLES_BY_STATUS[error.status] ?? byStatus;
}

/** The seconds until the page sends an item again, or nothing: only a refusal that cost nothing and passes, and not for ever. */
export function waitOf({ error, repeats }) {
  const passes = error.status === 429 || error.status === 503;
  const isForGood = error.code === "insufficient_quota" || error.code === "session_limit_exceeded";
  const isForbidden = error.response?.headers.get("x-should-retry") === "false";
  if (!passes || isForGood || isForbidden || error.maybeCharged || repeats >= MAX_REPEATS) return null;
  return error.retryAfter !== null && error.retryAfter <= 300 ? error.retryAfter : null;
}

/** The title, the message and the advice for an error. */
export const wordsFor = (error) => [titleOf(error), told(MESSAGES[error.code], error) ?? error.message, told(ADVICE[error.code], error)];

/** Shows the failure of an item, or hides the box. `seconds` counts down until it is sent again. */
export function show(item, again) {
  const box = $("failure");
  const error = item?.error ?? null;
  box.hidden = !error;
  if (!error || box.item === item && box.error === error) return;
  [box.item, box.error] = [item, error];
  const [title, message, advice] = wordsFor(error);
  const children = [element("strong", {}, title), element("p", {}, message)];
  const isFinal = waitOf(item) === null;
  const countdown = isFinal ? null : element("span", { id: "countdown", "aria-live": "off" });
  const said = [advice, error.maybeCharged ? MAY_COST : null, countdown].filter(Boolean);
  if (said.length > 0) children.push(element("p", {}, ...said.flatMap((part) => [part, " "])));
  const row = element("div", { class: "row" });
  if (isFinal) row.append(element("button", { type: "button", id: "retry", click: again }, "Send again"));
  if (error.param && hasField(error.param)) row.append(element("button", { type: "button", click: () => reveal(error.param) }, "Show the option"));
  if (error.requestId) {
    const copied = element("span", { role: "status", class: "small" });
    row.append(element("button", { type: "button", click: () => copy(error.requestId, copied) }, "Copy the request id"), copied);
  }
  const facts = [error.status, error.code, error.requestId].filter(Boolean).join(" · ");
  children.push(row, element("p", { class: "small" }, facts));
  box.replaceChildren(...children);
}

/** Tells how long the wait still is. */
export function countDown(seconds) {
  const line = $("countdown");
  const text = seconds > 0 ? `It goes again in ${plural(Math.ceil(seconds), "second")}.` : "It goes again now.";
  if (line && line.textContent !== text) line.textContent = text;
}
