// Where recordings come from: the microphone, files, a data: URL, samples.

import { record } from "../voxgate.js";
import { $, clock, element, say } from "./dom.js";

const SAMPLES = [["sentence.mp3", "Sentence"], ["talk.mp3", "Short talk"], ["french.mp3", "French"]];
const MAX_RECORDING_SECONDS = 14_400;
/** As text in a field it is copied several times. */
const MAX_DATA_URL = 48_000_000;
export const HINT = "The transcript appears as soon as you stop.";

let take = () => {};
let recording = null;
/** True while the browser asks for the microphone. The button stays enabled: one that is disabled loses the focus. */
let isAsking = false;
let count = 0;

export const isRecording = () => recording !== null;

/** `onRecordings` gets each batch of `{name, blob, seconds?}`. */
export function start(onRecordings) {
  take = onRecordings;
  $("record").addEventListener("click", () => (recording ? recording.stop() : begin()));
  $("discard").addEventListener("click", () => recording?.cancel(new DOMException("Discarded", "AbortError")));
  $("files").addEventListener("change", () => {
    takeFiles($("files").files);
    $("files").value = "";
  });
  $("samples").append(...SAMPLES.map(([file, name]) => element("button", { type: "button", click: () => sample(file) }, name)));
  $("paste-form").addEventListener("submit", paste);
  startDropping();
}

async function begin() {
  if (isAsking) return;
  isAsking = true;
  $("way-live").disabled = true;
  say($("record-said"), null);
  $("send-hint").textContent = "Waiting for the microphone …";
  try {
    recording = await record({ maxSeconds: MAX_RECORDING_SECONDS, onLevel });
    isAsking = false;
    show(true);
    const [blob, { elapsed }] = [await recording.blob, recording];
    const kind = /mp4/.test(blob.type) ? "m4a" : /ogg/.test(blob.type) ? "ogg" : "webm";
    count++;
    take([{ name: `recording-${count}.${kind}`, blob, seconds: elapsed }]);
  } catch (error) {
    if (error.name !== "AbortError") say($("record-said"), error.message);
  } finally {
    recording = null;
    isAsking = false;
    // The button for discarding goes, and the focus must not go with it.
    if (document.activeElement === $("discard")) $("record").focus();
    show(false);
  }
}

function show(isOn) {
  $("record").classList.toggle("on", isOn);
  $("record").setAttribute("aria-label", isOn ? "Stop and transcribe" : "Record");
  $("recording").hidden = !isOn;
  $("way-live").disabled = isOn;
  $("send-hint").textContent = isOn ? "Listening. Press again to stop and transcribe." : HINT;
  onLevel(0, 0);
}

function onLevel(level, elapsed) {
  for (const part of [$("record"), $("level")]) part.style.setProperty("--level", level.toFixed(3));
  $("level").setAttribute("aria-valuenow", String(Math.round(level * 100)));
  const text = clock(elapsed);
  if ($("elapsed").textContent !== text) $("elapsed").textContent = text;
}

function takeFiles(list) {
  const files = [...list];
  if (files.length > 0) take(files.map((blob) => ({ name: blob.name, blob })));
}

async function sample(file) {
  say($("record-said"), null);
  try {
    const answer = await fetch(new URL(file, import.meta.url));
    if (!answer.ok) throw new Error(`The gateway answered with ${answer.status}.`);
    take([{ name: file, blob: new Blob([await answer.arrayBuffer()], { type: "audio/mpeg" }) }]);
  } catch (error) {
    say($("record-said"), `The sample could not be loaded. ${error.message}`);
  }
}

function paste(event) {
  event.preventDefault();
  try {
    const blob = decode($("paste").value);
    count++;
    $("paste").value = "";
    say($("paste-said"), null);
    take([{ name: `pasted-${count}.${extension(blob.type)}`, blob }]);
  } catch (error) {
    say($("paste-said"), error.message);
  }
}

/** The page's policy lets nothing fetch a data: URL, so it is decoded here. */
function decode(text) {
  if (text.length > MAX_DATA_URL) throw new Error("That is too long to paste. Save it as a file and choose that.");
  const [, type, isBase64, data] = /^\s*data:([^,]*?)(;base64)?,(.*)$/is.exec(text) ?? [];
  if (data === undefined) throw new Error("A data: URL begins with data: and has its data after a comma.");
  try {
    const plain = data.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    const letters = isBase64 ? atob(plain) : plain;
    return new Blob([Uint8Array.from(letters, (letter) => letter.charCodeAt(0))], { type });
  } catch {
    throw new Error("The data after the comma is not base64.");
  }
}

function extension(type) {
  const [, kind = ""] = /^(?:audio|video)\/(?:x-)?(\w+)/.exec(type) ?? [];
  return { mpeg: "mp3", wave: "wav", mp4: "m4a", "": "audio" }[kind] ?? kind;
}

function startDropping() {
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const show = (change) => {
    depth = Math.max(0, depth + change);
    $("dropping").hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => holdsFiles(event) && show(1));
  addEventListener("dragleave", (event) => holdsFiles(event) && show(-1));
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show(-depth);
    takeFiles(event.dataTransfer.files);
  });
}
