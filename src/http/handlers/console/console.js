// The console: a page on the gateway's own API, built on the module that it serves (/voxgate.js). This file holds the queue
// of recordings; the others show it.

import { models } from "../voxgate.js";
import * as code from "./code.js";
import { $, announce, duration, element, say } from "./dom.js";
import * as failures from "./failures.js";
import * as options from "./options.js";
import * as result from "./result.js";
import { account, base, fresh, gateway, send } from "./sending.js";
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
tokens.onToken(onToken);
tokens.start();
loadModels();
showCode();
addEventListener("beforeunload", (event) => {
  if (sources.isRecording() || items.some(({ state }) => state === "sending")) event.preventDefault();
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
    address: URL.createObjectURL(recording.blob),
  }));
  items.push(...added);
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
  item.call = options.call();
  if (selected?.state !== "sending" && (selected === item || !selected || items.indexOf(selected) < items.indexOf(item))) select(item);
  try {
    await send(item, (what) => changed(item, what));
    if (item.error) await handle(item);
    else if (item.state === "done") account(item, (what) => changed(item, what));
  } finally {
    isSending = false;
  }
  next();
}

/** After a failure: waits where it passes by itself, and stops where the next recording would fail as well. */
async function handle(item) {
  const { error } = item;
  if (error.status === 401) tokens.refused(error);
  isPaused = error.status === 401 || error.code === "connection_lost" || error.code === "insufficient_quota";
  const wait = failures.waitOf(error);
  if (wait === null) return;
  item.state = "held";
  changed(item, "held");
  announce(`The limit is reached. It goes again in ${duration(Math.ceil(wait))}.`, { now: true });
  const until = performance.now() + wait * 1000;
  while (item.state === "held" && performance.now() < until) {
    if (item === selected) failures.countDown((until - performance.now()) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (item.state !== "held") return;
  Object.assign(item, fresh());
  changed(item, "waiting");
}

function cancel(item) {
  if (item.state === "sending") return item.controller.abort();
  Object.assign(item, { state: "cancelled", error: null });
  changed(item, "ended");
}

/** Sends a recording again, with the options that are chosen now. */
function again(item) {
  Object.assign(item, fresh());
  isPaused = false;
  changed(item, "began");
  next();
}

function select(item) {
  selected = item;
  result.select(item);
  showQueue();
  showCode();
}

let isDirty = false;

/** Shows a step. Many come in one frame of a long upload or a fast stream: they are shown once. */
function changed(item, what) {
  if (what === "began" || what === "ended" || what === "held") showQueue();
  if (item !== selected) return;
  const isFrequent = what === "transcript.text.delta" || what === "upload.progress";
  if (!isFrequent) return result.update(what);
  if (isDirty) return;
  isDirty = true;
  requestAnimationFrame(() => {
    isDirty = false;
    if (item === selected) result.update(what);
  });
}

function showQueue() {
  $("queue-card").hidden = items.length < 2;
  if (items.length < 2) return;
  while ($("queue").children.length < items.length) {
    const item = items[$("queue").children.length];
    const button = element("button", { type: "button", click: () => select(item) }, element("span", { class: "name" }, item.name), element("span", { class: "how" }));
    $("queue").append(element("li", {}, button));
  }
  items.forEach((item, at) => {
    const row = $("queue").children[at];
    row.className = item.state;
    row.firstChild.setAttribute("aria-current", String(item === selected));
    row.firstChild.lastChild.textContent = item.state === "sending" ? "Sending" : result.stateOf(item);
  });
}

function showCode() {
  code.show({ base, name: selected?.name ?? "recording.webm", call: { model: options.DEFAULT_MODEL, ...options.call() } });
}
