// The Live tab: words while they are spoken.

import { live } from "../voxgate.js";
import { $, announce, clock, copy, duration, element, plural, save, say } from "./dom.js";
import { EXPORTS, exported, isSegment } from "./exports.js";
import { wordsFor } from "./failures.js";
import * as options from "./options.js";
import { costOf, monthOf, usageOf } from "./result.js";
import { account, asError, gateway } from "./sending.js";
import { HINT } from "./sources.js";
import * as tokens from "./token.js";

const LIVE_HINT = "Words appear while you speak.";
const EMPTY = "Press the button and speak. Each turn appears here with its time, as soon as there is a pause.";

let isLive = false;
let session = null;
/** True while the browser asks for the microphone and the gateway opens the session. */
let isOpening = false;
let opening = new AbortController();
/** What the transcript has: the text, its segments, and what the session ended with. */
let heard = null;
/** The rows of segments by their ids. */
let rows = new Map();
let notify = () => {};

export const isChosen = () => isLive;
export const isRunning = () => session !== null || isOpening;

/** `onChange` is called when another tab is chosen. */
export function start(onChange) {
  notify = onChange;
  $("way-record").addEventListener("click", () => choose(false));
  $("way-live").addEventListener("click", () => choose(true));
  $("ways").addEventListener("keydown", ({ key }) => {
    if (key !== "ArrowRight" && key !== "ArrowLeft") return;
    choose(!isLive);
    $(isLive ? "way-live" : "way-record").focus();
  });
  $("listen").addEventListener("click", () => (isRunning() ? stop() : begin()));
  $("live-stop").addEventListener("click", stop);
  $("live-cancel").addEventListener("click", () => cancel());
  $("live-as").append(...EXPORTS.map(([value, name]) => element("option", { value }, name)));
  $("live-as").addEventListener("change", showExport);
  $("live-copy").addEventListener("click", () => copy(exported(heard, $("live-as").value), $("live-as-said")));
  $("live-download").addEventListener("click", () => {
    const kind = $("live-as").value;
    save(new Blob([exported(heard, kind)], { type: "text/plain;charset=utf-8" }), `live.${kind}`);
    $("live-as-said").textContent = "Saved.";
  });
  $("live-transcript").replaceChildren(element("p", { class: "empty" }, EMPTY));
}

/** Shows this tab, or the one for recordings. While one of them is at work, the other one cannot be chosen. */
export function choose(wanted) {
  if (wanted === isLive || $(wanted ? "way-live" : "way-record").disabled) return;
  isLive = wanted;
  document.body.classList.toggle("live", isLive);
  for (const [way, isChosen] of [["record", !isLive], ["live", isLive]]) {
    $(`way-${way}`).setAttribute("aria-selected", String(isChosen));
    $(`way-${way}`).tabIndex = isChosen ? 0 : -1;
    $(`${way}-panel`).hidden = !isChosen;
  }
  $("send-hint").textContent = isLive ? LIVE_HINT : HINT;
  document.querySelector(".skip").href = isLive ? "#live" : "#result";
  options.offerLive(isLive);
  notify();
}

async function begin() {
  if (!tokens.token()) {
    tokens.open(true);
    $("token").focus();
    return;
  }
  isOpening = true;
  opening = new AbortController();
  forget();
  showRunning("opening");
  try {
    // A token that is pasted meanwhile takes the place of one that has expired.
    const { token, ...rest } = gateway({ maxRetryWait: 30 });
    const listeners = { onLevel, onState: showRunning, onDelta, onSegment, onError, onEvent };
    const opened = await live({ ...rest, ...options.call(), ...listeners, signal: opening.signal, token: () => tokens.token() ?? "" });
    [session, isOpening] = [opened, false];
    showRunning(session.state);
    scrollToWords();
    end(await session.result, null);
  } catch (error) {
    end(null, opening.signal.aborted ? null : asError(error));
  }
}

function stop() {
  if (!session) return cancel();
  session.stop();
  // On a small screen the button that was pressed goes.
  if (document.activeElement === $("live-stop")) $("live").focus({ preventScroll: true });
}

function cancel() {
  opening.abort();
  if (document.activeElement === $("live-cancel")) $("listen").focus();
}

function forget() {
  heard = { text: "", segments: [], missing: [], elapsed: 0, done: null, call: {}, response: null, record: null, month: null, costSaid: null };
  rows = new Map();
  say($("live-said"), null);
  for (const id of ["live-failure", "live-actions", "live-facts", "live-facts-said"]) $(id).hidden = true;
  $("live-as-said").textContent = "";
  $("live-transcript").replaceChildren(element("ol"));
}

function onDelta(delta, { segment_id: id }) {
  heard.text += delta;
  const { said } = rowOf(id);
  said.textContent = (said.textContent + delta).trimStart();
  scroll();
}

function onSegment(segment) {
  if (!isSegment(segment)) return;
  heard.segments.push({ ...segment, words: [] });
  const { row, time, said } = rowOf(segment.id);
  row.className = "";
  time.textContent = clock(segment.start);
  said.textContent = segment.text.trim();
  announce(segment.text.trim());
  scroll();
}

/** The row of a segment. Its deltas come before its time is known. */
function rowOf(id) {
  if (rows.has(id)) return rows.get(id);
  const [time, said] = [element("time", {}, "…"), element("span", { class: "said" })];
  const found = { row: element("li", { class: "open" }, time, said), time, said };
  rows.set(id, found);
  $("live-transcript").firstChild.append(found.row);
  return found;
}

function onError(error) {
  if (error.start === null) return; // It ends the session, and is shown at its end.
  heard.missing.push(error);
  const words = `${clock(error.start)}–${clock(error.end)} is missing. ${error.message}`;
  $("live-transcript").firstChild.append(element("li", {}, element("time", {}, clock(error.start)), element("span", { class: "gap" }, words)));
  announce(words, { now: true });
  scroll();
}

/** Another session has taken the place of one. What was not complete of a turn comes again. */
function onEvent({ type }) {
  if (type !== "voxgate.session") return;
  for (const [id, { row }] of rows) {
    if (row.className !== "open") continue;
    row.remove();
    rows.delete(id);
  }
}

function scroll() {
  const box = $("live-transcript");
  box.scrollTop = box.scrollHeight;
}

/** On a small screen the words are below the button. */
function scrollToWords() {
  if ($("live").getBoundingClientRect().top < innerHeight * 0.6) return;
  $("live").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

const STATES = {
  opening: "Opening",
  listening: "Listening",
  reconnecting: "Reconnecting",
  waiting: "Waiting for the limit",
  ending: "Last words",
};
const COLOURS = { reconnecting: "held", waiting: "held" };

/** Shows that a session is at work, and how it stands. */
function showRunning(state) {
  if (state === "ended") return;
  for (const id of ["listening", "live-state", "live-stop"]) $(id).hidden = false;
  const isEnding = state === "ending";
  $("live-stop").hidden = isEnding;
  $("listen").classList.toggle("on", !isEnding);
  $("listen").setAttribute("aria-label", isEnding ? "Stopping" : "Stop");
  $("way-record").disabled = true;
  $("send-hint").textContent = state === "opening" ? "Waiting for the microphone …" : isEnding ? "The last words are on their way." : "Listening. Press again to stop.";
  $("live-state").className = `state ${COLOURS[state] ?? "sending"}`;
  showState(state);
  if (COLOURS[state]) announce(`${STATES[state]}. What you say is kept.`, { now: true });
}

/** What cannot be sent is kept: how much that is, is told. */
function showState(state) {
  const unsent = Math.floor(session?.unsent ?? 0);
  const kept = COLOURS[state] && unsent > 0 ? ` · ${duration(unsent)} kept` : "";
  const text = STATES[state] + kept;
  if ($("live-state").textContent !== text) $("live-state").textContent = text;
}

function onLevel(level, elapsed) {
  for (const part of [$("listen"), $("live-level")]) part.style.setProperty("--level", level.toFixed(3));
  $("live-level").setAttribute("aria-valuenow", String(Math.round(level * 100)));
  const text = clock(elapsed);
  if ($("live-elapsed").textContent !== text) $("live-elapsed").textContent = text;
  if (session && session.state !== "ended") showState(session.state);
}

/** Shows how a session ended: with its last event, with an error, or because it was cancelled. */
function end(done, error) {
  const { elapsed = 0, id = null, requestId = null } = session ?? {};
  [session, isOpening] = [null, false];
  onLevel(0, 0);
  const hadFocus = $("listening").contains(document.activeElement);
  for (const part of ["listening", "live-stop"]) $(part).hidden = true;
  if (hadFocus) $("listen").focus();
  $("listen").classList.remove("on");
  $("listen").setAttribute("aria-label", "Listen");
  $("way-record").disabled = false;
  $("send-hint").textContent = LIVE_HINT;
  for (const { row } of rows.values()) row.className = "";
  const [state, text] = error ? ["failed", "Failed"] : done ? ["done", "Ended"] : ["cancelled", "Cancelled"];
  $("live-state").hidden = id === null && !error;
  $("live-state").className = `state ${state}`;
  $("live-state").textContent = text;
  if (error) showFailure(error, id !== null);
  else announce(`${text}.`, { now: true });
  if (rows.size === 0 && heard.missing.length === 0) {
    $("live-transcript").replaceChildren(element("p", { class: "empty" }, done ? "No speech was recognised in it." : EMPTY));
  }
  // What was heard before a failure is not thrown away.
  const last = done ?? { type: "transcript.text.done", text: heard.text };
  heard.done = { ...last, segments: heard.segments.map(({ words, type, ...segment }) => segment) };
  $("live-actions").hidden = heard.text === "";
  showExport();
  if (id === null) return;
  Object.assign(heard, { elapsed, response: { requestId } });
  showFacts();
  // Another session may have begun meanwhile.
  const ended = heard;
  account(ended, () => ended === heard && showFacts());
}

function showExport() {
  const isPossible = exported(heard, $("live-as").value) !== null;
  $("live-copy").disabled = $("live-download").disabled = !isPossible;
}

/** Shows what a session failed with. What goes wrong with the microphone is told below its button. */
function showFailure(error, wasOpen) {
  if (error.status === 401) tokens.refused(error);
  if (!wasOpen && error.status === null && error.code !== "connection_lost") {
    $("live-state").hidden = true;
    return say($("live-said"), error.message);
  }
  const [title, message, usual] = wordsFor(error);
  const advice = error.code === "token_expired" ? "Paste another token above." : usual;
  const parts = [message, advice].filter(Boolean).map((text) => element("p", {}, text));
  const facts = [error.status, error.code, error.requestId].filter(Boolean).join(" · ");
  $("live-failure").replaceChildren(element("strong", {}, title), ...parts, element("p", { class: "small" }, facts));
  $("live-failure").hidden = false;
}

function showFacts() {
  const { elapsed, missing, done, record, month, costSaid } = heard;
  const facts = [
    ["Sound", duration(elapsed)],
    ["Turns", rows.size],
    ["Missing", missing.length > 0 ? plural(missing.length, "part") : null],
    ["Provider", record?.provider, record?.model],
    ["Usage", ...usageOf(record?.usage ?? done.usage)],
    ["Cost", ...costOf(record)],
    ["Left this month", ...monthOf(month)],
  ].filter(([, value]) => value !== null && value !== undefined);
  $("live-facts").replaceChildren(...facts.map(([name, value, more]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, String(value), more ? element("small", {}, more) : null)),
  ));
  $("live-facts").hidden = false;
  say($("live-facts-said"), costSaid);
}
