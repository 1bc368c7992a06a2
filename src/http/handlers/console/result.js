// What is known about the selected recording: its state, its text, its facts.

import { $, announce, bytes, clock, copy, dollars, duration, element, plural, save, say } from "./dom.js";
import { EXPORTS, exported } from "./exports.js";
import * as failures from "./failures.js";
import * as player from "./player.js";

/** With more words than this, only segments can be clicked: each word is an element. */
const MAX_WORDS = 20_000;

const EMPTY = "What you say appears here, word by word, as it is recognised.";
const NO_TIMES = "Needs times: choose a format with times under Options, and send it again.";

let item = null;
/** The text node that grows while the text comes. */
let growing = null;
/** The rows of segments in order, and their words: `{start, end, row, words}`. */
let rows = [];
/** The list of segments whose rows are shown. */
let listed = null;
let again = () => {};

export function start(handlers) {
  again = () => moveFocus(handlers.again);
  player.start(highlight);
  $("cancel").addEventListener("click", () => moveFocus(handlers.cancel));
  $("again").addEventListener("click", again);
  $("as").append(...EXPORTS.map(([value, name]) => element("option", { value }, name)));
  $("as").addEventListener("change", showExport);
  $("copy").addEventListener("click", () => copy(exported(item, $("as").value), $("as-said")));
  $("download").addEventListener("click", () => {
    const kind = $("as").value;
    save(new Blob([exported(item, kind)], { type: "text/plain;charset=utf-8" }), `${item.name.replace(/\.\w+$/, "")}.${kind}`);
    $("as-said").textContent = "Saved.";
  });
  $("transcript").addEventListener("click", ({ target }) => {
    if (target.dataset?.at !== undefined && !String(getSelection())) player.playFrom(Number(target.dataset.at));
  });
  select(null);
}

/** Does what a button is for that goes when it was pressed, and must not take the focus with it. */
function moveFocus(work) {
  work(item);
  $("result").focus({ preventScroll: true });
}

/** Shows an item, or the invitation to make one. */
export function select(given) {
  item = given;
  $("result-heading").textContent = item ? item.name : "Transcript";
  player.load(item);
  forget();
  $("transcript").hidden = false;
  $("transcript").replaceChildren(...(item ? [] : [element("p", { class: "empty" }, EMPTY)]));
  update("selected");
}

function forget() {
  [growing, rows, listed] = [null, [], null];
}

/** Shows what has changed of the selected item. */
export function update(what) {
  showState();
  showProgress();
  failures.show(item, again);
  if (!item) return [$("actions"), $("facts"), $("facts-said")].forEach((part) => (part.hidden = true));
  if (what === "began") forget();
  showText();
  $("transcript").hidden = (item.state === "failed" || item.state === "held") && item.text === "";
  const isOver = item.state === "done" || item.state === "cancelled";
  $("actions").hidden = !isOver;
  for (const part of [$("as"), $("copy"), $("download")]) part.hidden = item.state !== "done";
  if (item.state === "done") showExport();
  showFacts();
  tell(what);
}

const STATES = { waiting: "Waiting", held: "Waiting for the limit", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function stateOf({ state, upload, response }) {
  if (state !== "sending") return STATES[state];
  if (response) return "Transcribing";
  const share = upload && upload.total > 0 ? Math.floor((upload.loaded / upload.total) * 100) : 0;
  return share < 100 ? `Sending ${share} %` : "Transcribing";
}

function showState() {
  const isBusy = item?.state === "sending" || item?.state === "held" || item?.state === "waiting";
  $("state").hidden = !item;
  $("state").className = `state ${item?.state ?? ""}`;
  $("state").textContent = item ? stateOf(item) : "";
  $("cancel").hidden = !isBusy;
  $("again").hidden = isBusy;
  $("result").setAttribute("aria-busy", String(item?.state === "sending"));
}

function showProgress() {
  const isShown = item?.state === "sending" && (item.pieces !== null || !item.response);
  $("progress").hidden = !isShown;
  if (!isShown) return;
  const { pieces, upload, blob } = item;
  const bar = $("bar");
  if (pieces) {
    const [done, all] = [pieces.audio_ms / 1000, pieces.total_ms ? pieces.total_ms / 1000 : null];
    const parts = pieces.pieces ? `${pieces.pieces_done} of ${plural(pieces.pieces, "piece")}` : plural(pieces.pieces_done, "piece");
    $("bar-label").textContent = `${parts} · ${clock(done)}${all ? ` of ${clock(all)}` : ""}`;
    setBar(bar, all ? (100 * done) / all : null);
  } else {
    const isSent = upload && upload.loaded >= upload.total;
    $("bar-label").textContent = isSent ? "Sent. The transcript is on its way." : `${bytes(upload?.loaded ?? 0)} of ${bytes(upload?.total ?? blob.size)} sent`;
    setBar(bar, isSent ? null : (100 * (upload?.loaded ?? 0)) / (upload?.total || blob.size || 1));
  }
}

function setBar(bar, percent) {
  if (percent === null) bar.removeAttribute("value");
  else bar.value = Math.min(100, percent);
}

function showText() {
  if (item.segments.length > 0 && (item.state !== "sending" || item.call.response_format === "diarized_json")) {
    return showSegments();
  }
  listed = null;
  if (!growing || !growing.isConnected) {
    growing = document.createTextNode("");
    $("transcript").replaceChildren(element("span", {}, growing));
  }
  const isBelow = $("transcript").scrollHeight - $("transcript").scrollTop - $("transcript").clientHeight < 40;
  if (item.text.startsWith(growing.data)) growing.appendData(item.text.slice(growing.length));
  else growing.data = item.text;
  growing.parentElement.classList.toggle("caret", item.state === "sending");
  if (isBelow && item.state === "sending") $("transcript").scrollTop = $("transcript").scrollHeight;
  if (item.state === "done" && item.text.trim() === "") {
    growing = null;
    $("transcript").replaceChildren(element("p", { class: "empty" }, "No speech was recognised in it."));
  }
}

/** Shows the segments. Those of a stream are added to the list as they come. */
function showSegments() {
  growing = null;
  if (listed !== item.segments) {
    [rows, listed] = [[], item.segments];
    $("transcript").replaceChildren(element("ol"));
  }
  if (rows.length === listed.length) return;
  const withWords = listed.reduce((sum, { words }) => sum + words.length, 0) <= MAX_WORDS;
  const added = listed.slice(rows.length).map((segment) => rowOf(segment, withWords));
  rows.push(...added);
  $("transcript").firstChild.append(...added.map(({ row }) => row));
}

function rowOf({ start, end, text, speaker, words }, withWords) {
  const at = clock(start);
  const jump = element("button", { type: "button", "data-at": start, "aria-label": `Play from ${at}` }, at);
  const said = element("span", { "data-at": start, class: "said" });
  const spans = withWords ? wordsOf(text.trim(), words, said) : [];
  if (spans.length === 0) said.textContent = text.trim();
  const body = element("span", {}, speaker ? element("span", { class: "speaker" }, speaker) : null, said);
  return { start, end, row: element("li", {}, jump, body), words: spans };
}

/** Puts a segment's text into `said`, each word that has a time as an element. What stands between them stays. */
function wordsOf(text, words, said) {
  const spans = [];
  let at = 0;
  const lower = text.toLowerCase();
  // Where that makes letters longer (İ), its positions are not those of the text.
  const [searched, fold] = lower.length === text.length ? [lower, (word) => word.toLowerCase()] : [text, (word) => word];
  for (const { word, start, end } of words) {
    const wanted = fold(word.trim());
    const found = wanted === "" ? -1 : searched.indexOf(wanted, at);
    if (found < 0) continue;
    said.append(text.slice(at, found));
    at = found + wanted.length;
    const span = element("span", { class: "word", "data-at": start }, text.slice(found, at));
    said.append(span);
    spans.push({ start, end, span });
  }
  if (spans.length > 0) said.append(text.slice(at));
  return spans;
}

/** Marks the segment and the word that are being heard. */
function highlight(seconds, isHeard) {
  for (const { start, end, row, words } of rows) {
    const isIn = isHeard && seconds >= start && seconds < end;
    const wasIn = row.classList.contains("heard");
    if (isIn !== wasIn) {
      row.classList.toggle("heard", isIn);
      if (isIn) scrollTo(row);
    }
    // A word is marked only while its row is.
    if (isIn || wasIn) {
      for (const word of words) word.span.classList.toggle("heard", isIn && seconds >= word.start && seconds < word.end);
    }
  }
}

/** Scrolls the transcript alone: the page stays where the reader has it. */
function scrollTo(row) {
  const box = $("transcript");
  const [outer, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - box.clientHeight / 3;
}

function showExport() {
  const isPossible = exported(item, $("as").value) !== null;
  $("copy").disabled = $("download").disabled = !isPossible;
  if (!isPossible) $("as-said").textContent = NO_TIMES;
  else if ($("as-said").textContent === NO_TIMES) $("as-said").textContent = "";
}

function showFacts() {
  const facts = item.response ? factsOf(item).filter(([, value]) => value !== null && value !== undefined) : [];
  $("facts").hidden = facts.length === 0;
  $("facts").replaceChildren(
    ...facts.map(([name, value, more]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, String(value), more ? element("small", {}, more) : null)),
    ),
  );
  say($("facts-said"), item.response && item.state !== "sending" ? item.costSaid : null);
}

function factsOf({ response, record, done, firstAt, lastAt, seconds, month, blob, state, pieces }) {
  const length = seconds ?? (record ? record.audio_ms / 1000 : null);
  const piecesSent = record?.pieces ?? response.pieces ?? pieces?.pieces ?? null;
  return [
    ["Recording", length ? duration(length) : bytes(blob.size), length ? bytes(blob.size) : null],
    ["First word", firstAt === null ? null : duration(firstAt)],
    ["Last word", state === "done" ? duration(lastAt) : null],
    ["Provider", record?.provider ?? response.provider, record?.model],
    ["Attempts", record?.attempts ?? response.attempts],
    ["Pieces", piecesSent && piecesSent > 1 ? piecesSent : null],
    ["Usage", ...usageOf(record?.usage ?? done?.usage)],
    ["Cost", ...costOf(record)],
    ["Left this minute", ...minuteOf(response.rateLimits)],
    ["Left this month", ...monthOf(month)],
  ];
}

export function usageOf(usage) {
  if (usage?.type === "tokens") return [plural(usage.total_tokens, "token"), `${usage.input_tokens} in, ${usage.output_tokens} out`];
  return usage?.type === "duration" ? [duration(usage.seconds), "billed"] : [null];
}

export function costOf(record) {
  if (!record) return [null];
  const { status, cost, estimate } = record;
  return status === "open" ? [dollars(estimate.usd), "estimate"] : [dollars((cost ?? estimate).usd)];
}

function minuteOf({ requests, audio }) {
  const parts = [requests && plural(requests.remaining, "request"), audio && `${duration(audio.remaining)} of audio`].filter(Boolean);
  return parts.length > 0 ? parts : ["no limit"];
}

export function monthOf(month) {
  if (!month) return [null];
  const { monthly_usd: usd, monthly_audio_ms: ms } = month.left;
  const parts = [usd !== null && dollars(usd), ms !== null && `${duration(ms / 1000)} of audio`].filter(Boolean);
  const spent = `${dollars(month.total.spent_usd)} spent`;
  return parts.length > 0 ? [parts[0], [parts[1], spent].filter(Boolean).join(" · ")] : ["no limit", spent];
}

/** How much of the text a screen reader was told. */
let toldLength = 0;

function tell(what) {
  if (what === "began") toldLength = 0;
  if (what === "event" && item.state === "sending" && item.text.length > toldLength) {
    announce(item.text.slice(toldLength));
    toldLength = item.text.length;
  }
  if (what !== "ended") return;
  if (item.state === "done") announce(toldLength > 0 ? `${item.text.slice(toldLength)} Done.` : `${item.text} Done.`, { now: true });
  if (item.state === "cancelled") announce("Cancelled.", { now: true });
}
