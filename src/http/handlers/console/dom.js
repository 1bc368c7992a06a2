// Elements and texts. Text goes in as text nodes alone, so nothing that a provider or a file says becomes markup.

export const $ = (id) => document.getElementById(id);

/** Makes an element with attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Shows `text` in an element, and hides the element where there is none. */
export function say(target, text) {
  target.textContent = text ?? "";
  target.hidden = !text;
}

/** `0:07`, `12:30`, `1:02:30`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A length in words: `2.8 s`, `12 min 30 s`, `4 h`. */
export function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const parts = [[Math.floor(seconds / 3600), "h"], [Math.floor(seconds / 60) % 60, "min"], [Math.floor(seconds % 60), "s"]];
  return parts.filter(([number]) => number > 0).slice(0, 2).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** An amount as the API writes it, `0.000225000`, to at least two decimals. */
export function dollars(text) {
  const [whole, parts = ""] = String(text).split(".");
  return `$${whole}.${parts.replace(/0+$/, "").padEnd(2, "0")}`;
}

export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  let at = 0;
  for (; count >= 1000 && at < units.length - 1; at++) count /= 1000;
  return `${Number(count.toFixed(count < 10 && at > 0 ? 1 : 0))} ${units[at]}`;
}

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Copies a text and says so in `target`. */
export async function copy(text, target) {
  try {
    await navigator.clipboard.writeText(text);
    target.textContent = "Copied.";
  } catch {
    // Without HTTPS a page has no clipboard, except on localhost.
    const area = element("textarea", { class: "hidden", readonly: true, "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    target.textContent = done ? "Copied." : "The browser does not allow it: mark the text and copy it.";
  }
  setTimeout(() => (target.textContent = ""), 4000);
}

/** Lets the browser save a blob. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// What a screen reader is told. The text is told in parts, since one that is interrupted at each word says nothing.

const QUIET_MS = 4000;
let untold = "";
let timer = null;

export function announce(text, { now = false } = {}) {
  untold = `${untold} ${text}`.trim();
  if (now) tell();
  else timer ??= setTimeout(tell, QUIET_MS);
}

function tell() {
  clearTimeout(timer);
  timer = null;
  $("announce").textContent = untold;
  untold = "";
}
