// Playback of the recording, with its waveform. What is being heard is told to whoever shows the transcript.

import { $, clock, say } from "./dom.js";

/** What is decoded for the waveform. Decoded sound takes much more memory than the file. */
const MAX_BYTES = 20_000_000;
const MAX_SECONDS = 900;
/** A file that does not tell its length may last for hours: only a small one is decoded. */
const MAX_BYTES_UNTOLD = 4_000_000;
/** Enough to see the loudness, and a sixth of the memory of 48000. */
const SAMPLE_RATE = 8000;
const BAR = 3;

const audio = new Audio();
let item = null;
let onTime = () => {};

export function start(listener) {
  onTime = listener;
  $("play").addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  $("seek").addEventListener("input", () => seek((Number($("seek").value) / 1000) * length()));
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showState);
  audio.addEventListener("timeupdate", showTime);
  audio.addEventListener("seeked", showTime);
  audio.addEventListener("durationchange", () => learnLength());
  audio.addEventListener("error", () => {
    if (item) say($("player-said"), "This browser cannot play this recording. The gateway may still read it.");
  });
  new ResizeObserver(draw).observe($("wave"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** Loads a recording, or nothing. */
export function load(given) {
  if (given === item) return;
  item = given;
  audio.pause();
  $("player").hidden = !item;
  if (!item) return audio.removeAttribute("src");
  $("play").disabled = $("seek").disabled = false;
  say($("player-said"), null);
  $("keep").href = item.address;
  $("keep").download = item.name;
  audio.src = item.address;
  audio.preload = "metadata";
  showState();
  showTime();
  draw();
  decode(item);
}

/** Plays from a time, in seconds. */
export function playFrom(seconds) {
  seek(seconds);
  play();
}

const play = () => audio.play().catch(() => {});
const length = () => item?.seconds ?? (Number.isFinite(audio.duration) ? audio.duration : 0);

function seek(seconds) {
  audio.currentTime = Math.min(seconds, length() || seconds);
  showTime();
}

/** A browser's own recording does not tell its length, until its end was looked for. */
function learnLength() {
  if (!item) return;
  if (Number.isFinite(audio.duration)) {
    if (audio.duration > 0 && !item.isExact) item.seconds = audio.duration;
    if (item.looked) {
      item.looked = false;
      audio.currentTime = 0;
    }
  } else if (audio.duration === Infinity && !item.looked) {
    item.looked = true;
    audio.currentTime = Number.MAX_SAFE_INTEGER;
  }
  showTime();
}

async function decode(given) {
  if (given.peaks !== undefined) return;
  const told = given.seconds ?? (await lengthOf());
  if (given !== item) return;
  const isLong = told === null ? given.blob.size > MAX_BYTES_UNTOLD : told > MAX_SECONDS;
  if (given.blob.size > MAX_BYTES || isLong) {
    given.peaks = null;
    return say($("player-said"), "No waveform: the recording is too long to draw in a browser.");
  }
  try {
    const context = new OfflineAudioContext(1, 1, SAMPLE_RATE);
    const sound = await context.decodeAudioData(await given.blob.arrayBuffer());
    given.peaks = peaksOf(sound.getChannelData(0), 600);
    given.seconds = sound.duration;
    given.isExact = true;
  } catch {
    given.peaks = null;
  }
  if (given === item) showTime();
}

/** The length that the browser finds in the file, or nothing. */
function lengthOf() {
  if (audio.readyState > 0) return Number.isFinite(audio.duration) ? audio.duration : null;
  return new Promise((resolve) => {
    const done = () => resolve(Number.isFinite(audio.duration) ? audio.duration : null);
    for (const name of ["loadedmetadata", "error", "emptied"]) audio.addEventListener(name, done, { once: true });
  });
}

/** The loudest sample of each of `count` parts, with the loudest of all as 1. */
function peaksOf(samples, count) {
  const found = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const until = Math.floor(((at + 1) * samples.length) / count);
    for (let sample = Math.floor((at * samples.length) / count); sample < until; sample++) {
      found[at] = Math.max(found[at], Math.abs(samples[sample]));
    }
  }
  const loudest = found.reduce((most, peak) => Math.max(most, peak), 0.01);
  return found.map((peak) => peak / loudest);
}

function draw() {
  const canvas = $("wave");
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0) return;
  const scale = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  pen.scale(scale, scale);
  const peaks = item?.peaks;
  const bars = Math.floor(width / BAR);
  const heard = length() > 0 ? audio.currentTime / length() : 0;
  for (let bar = 0; bar < bars; bar++) {
    const peak = peaks ? peaks[Math.floor((bar / bars) * peaks.length)] : 0;
    const tall = Math.max(2, peak * (height - 4));
    pen.fillStyle = style.getPropertyValue(bar / bars < heard ? "--accent" : "--edge");
    pen.fillRect(bar * BAR, (height - tall) / 2, BAR - 1, tall);
  }
}

function showState() {
  const isOn = !audio.paused;
  $("play").classList.toggle("on", isOn);
  $("play").setAttribute("aria-label", isOn ? "Pause" : "Play");
  if (isOn) follow();
}

/** While it plays, the time is told with each picture: `timeupdate` comes four times a second. */
function follow() {
  showTime();
  if (!audio.paused) requestAnimationFrame(follow);
}

function showTime() {
  if (!item || item.looked) return;
  const [now, all] = [audio.currentTime, length()];
  $("seek").value = all > 0 ? Math.round((now / all) * 1000) : 0;
  $("seek").setAttribute("aria-valuetext", `${clock(now)} of ${clock(all)}`);
  $("clock").textContent = all > 0 ? `${clock(now)} / ${clock(all)}` : clock(now);
  draw();
  onTime(now, now > 0 || !audio.paused);
}
