// The console: a page on the gateway's own API, built on the module that it serves (/voxgate.js). This file holds the queue
// of recordings; the others show it.

import { models } from "../voxgate.js";
import * as code from "./code.js";
import { $, announce, duration, element, say } from "./dom.js";
import * as failures from "./failures.js";
import * as live from "./live.js";
import * as options from "./options.js";
import * as result from "./result.js";
import { account, asError, base, fresh, gateway, send } from "./sending.js";
import * as sources from "./sources.js";
import * as tokens from "./token.js";

const SANDBOX =
  "Sandbox: this gateway has no provider yet, so it answers with what it measured instead of what you said. Set OPENAI_API_KEY for transcripts.";

const items = [];
let selected = null;
/** True while a recording is being sent. They go one after another. */
let isSending = false;
/** True after a failure that the next recording would meet, too. */
let isPaused = false;

code.start();
options.start(showCode);
result.start({ again, cancel });
sources.start(add);
live.start(showCode);
tokens.onToken(onToken);
tokens.start();
loadModels();
showCode();
addEventListener("beforeunload", (event) => {
  if (sources.isRecording() || live.isRunning() || items.some(({ state }) => state === "sending")) event.preventDefault();
});

async function onToken(token) {
  await loadModels();
  if (!token || token !== tokens.token()) return;
  // What a refused token has stopped goes on.
  for (const item of items) if (item.state === "failed" && item.error?.status === 401) Object.assign(item, fresh());
  isPaused = false;
  next();
}

async function loadModels() {
  const given = tokens.token();
  if (!given) return options.offer([]);
  try {
    const found = await models(gateway());
    if (tokens.token() === given) options.offer(found);
    say($("note"), options.isSandbox() ? SANDBOX : null);
  } catch (error) {
    if (tokens.token() !== given) return;
    options.offer([]);
    if (error.status === 401) tokens.refused(error);
    else announce(`The models could not be loaded. ${error.message}`, { now: true });
  }
}

function add(recordings) {
  const added = recordings.map((recording) => ({
    ...recording,
    ...fresh(),
    repeats: 0,
    address: URL.createObjectURL(recording.blob),
  }));
  items.push(...added);
  if (!live.isRunning()) live.choose(false);
  isPaused = false;
  if (!isSending || !selected) select(added[0]);
  // On a small screen the transcript is below.
  const isBelow = $("result").getBoundingClientRect().top > innerHeight * 0.6;
  if (isBelow) $("result").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  showQueue();
  next();
}

/** Sends the next recording that waits, and then the one after it. */
async function next() {
  const item = items.find(({ state }) => state === "waiting");
  if (isSending || isPaused || !item) return;
  if (!tokens.token()) {
    tokens.open(true);
    $("token").focus();
    return;
  }
  isSending = true;
  try {
    item.call = options.call();
    // Whoever looks at a later recording goes on with that.
    if (items.indexOf(selected) <= items.indexOf(item)) select(item);
    await send(item, (what) => changed(item, what));
    if (item.error) await handle(item);
    else if (item.state === "done") account(item, (what) => changed(item, what));
  } catch (error) {
    // The page's own failure ends this recording alone.
    reportError(error);
    if (item.state !== "done") Object.assign(item, { state: "failed", error: asError(error) });
  } finally {
    isSending = false;
    next();
  }
}

/** After a failure: waits where it passes by itself, and stops where the next recording would fail as well. */
async function handle(item) {
  const { error } = item;
  if (error.status === 401) tokens.refused(error);
  isPaused = error.status === 401 || error.code === "connection_lost" || error.code === "insufficient_quota";
  const wait = failures.waitOf(item);
  if (wait === null || !items.includes(item)) return;
  item.state = "held";
  changed(item, "held");
  announce(`The limit is reached. It goes again in ${duration(Math.ceil(wait))}.`, { now: true });
  const until = performance.now() + wait * 1000;
  while (item.state === "held" && performance.now() < until) {
    if (item === selected) failures.countDown((until - performance.now()) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (item.state !== "held") return;
  Object.assign(item, fresh(), { repeats: item.repeats + 1 });
  changed(item, "waiting");
}

function cancel(item) {
  if (item.state === "sending") return item.controller.abort();
  Object.assign(item, { state: "cancelled", error: null });
  changed(item, "ended");
}

/** Sends a recording again, with the options that are chosen now. */
function again(item) {
  Object.assign(item, fresh(), { repeats: 0 });
  isPaused = false;
  changed(item, "began");
  next();
}

/** Forgets a recording. What is on its way is cancelled. */
function remove(item) {
  if (item.state === "sending") item.controller.abort();
  else item.state = "cancelled";
  const at = items.indexOf(item);
  items.splice(at, 1);
  $("queue").children[at].remove();
  if (item === selected) select(items[at] ?? items.at(-1) ?? null);
  showQueue();
  URL.revokeObjectURL(item.address);
  // The button for it is gone, and must not take the focus with it.
  ($("queue-card").hidden ? $("result") : $("queue").children[Math.min(at, items.length - 1)].firstChild).focus();
}

function select(item) {
  selected = item;
  guarded(() => {
    result.select(item);
    showQueue();
    showCode();
  });
}

/** Does what shows something. What goes wrong with that must end neither the queue nor a request, which costs. */
function guarded(work) {
  try {
    work();
  } catch (error) {
    reportError(error);
  }
}

let isDirty = false;

/** The steps that are shown at once. All others are events, of which many come in one frame: they are shown together. */
const STEPS = ["began", "ended", "held", "waiting", "account"];

/** Shows a step. */
function changed(item, what) {
  if (what === "began" || what === "ended" || what === "held") guarded(showQueue);
  if (item !== selected) return;
  if (STEPS.includes(what)) return guarded(() => result.update(what));
  if (isDirty) return;
  isDirty = true;
  requestAnimationFrame(() => {
    isDirty = false;
    if (selected) result.update("event");
  });
}

function showQueue() {
  $("queue-card").hidden = items.length < 2;
  while ($("queue").children.length < items.length) {
    const item = items[$("queue").children.length];
    const button = element("button", { type: "button", click: () => select(item) }, element("span", { class: "name" }, item.name), element("span", { class: "how" }));
    const bin = element("button", { type: "button", class: "remove", title: "Remove", "aria-label": `Remove ${item.name}`, click: () => remove(item) }, "×");
    $("queue").append(element("li", {}, button, bin));
  }
  items.forEach((item, at) => {
    const row = $("queue").children[at];
    row.className = item.state;
    row.firstChild.setAttribute("aria-current", String(item === selected));
    row.firstChild.lastChild.textContent = item.state === "sending" ? "Sending" : result.stateOf(item);
  });
}

function showCode() {
  if (live.isChosen()) return code.show({ base, isLive: true, call: { model: options.DEFAULT_MODEL, ...options.call() } });
  code.show({ base, name: selected?.name ?? "recording.webm", call: { model: options.DEFAULT_MODEL, ...options.call() } });
}
