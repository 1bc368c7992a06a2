// The token: taken from the address or pasted, kept in this tab alone, and explained.

import { $, duration, element } from "./dom.js";

const KEPT_AS = "voxgate.token";
const changed = [];
let current = null;
/** Why the gateway refused it, if it did. */
let refusal = null;
/** A token of the address that waits for an answer: another page may have put it there. */
let offered = null;

/** Starts with the token of the address or of this tab. */
export function start() {
  $("token-chip").addEventListener("click", () => open($("token-panel").hidden));
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = $("token").value.trim().replace(/^Bearer\s+/i, "");
    if (given) use(given);
  });
  $("token-forget").addEventListener("click", () => {
    use(null);
    $("token").focus();
  });
  $("token-keep").addEventListener("click", () => {
    offered = null;
    show();
    open(false);
    $("token-chip").focus();
  });
  $("token-take").addEventListener("click", () => {
    use(offered);
    $("token-chip").focus();
  });
  addEventListener("hashchange", () => {
    const given = fromAddress();
    if (!given || given === current) return;
    if (replacesAnother(given)) offer(given);
    else use(given);
  });
  setInterval(show, 15_000);
  const handed = fromAddress();
  current = stored();
  const isOffer = handed !== null && replacesAnother(handed);
  if (!isOffer) current = handed ?? current;
  keep();
  show();
  if (isOffer) offer(handed);
  else if (!current) open(true);
}

/** True if this tab has a token of another caller that is still of use. */
function replacesAnother(given) {
  if (!current || given === current || refusal) return false;
  const [mine, other] = [claims(current), claims(given)];
  const isOver = typeof mine?.exp === "number" && mine.exp <= Date.now() / 1000;
  return !isOver && (mine?.sub === undefined || mine.sub !== other?.sub);
}

/** Asks before a token of the address replaces the one of another caller: recordings would go to that account. */
function offer(given) {
  offered = given;
  const named = (jwt) => (typeof claims(jwt)?.sub === "string" ? `“${claims(jwt).sub.slice(0, 100)}”` : "a caller without a name");
  $("token-offered").textContent =
    `The address has a token for ${named(given)}, and this tab has one for ${named(current)}. With the new one, recordings go to that account. Use it only if you opened the address yourself.`;
  show();
  open(true);
  $("token-keep").focus();
}

export const token = () => current;

/** Calls `listener` whenever there is another token. */
export const onToken = (listener) => changed.push(listener);

/** Tells that the gateway refused the token, and asks for another one. */
export function refused(error) {
  refusal = error.code === "token_expired" ? "This token has expired. Paste another one." : `${error.message} Paste another token.`;
  show();
  open(true);
}

/** Shows who the caller is, and asks for a token if there is none. */
export function open(wanted) {
  $("token-panel").hidden = !wanted;
  $("token-chip").setAttribute("aria-expanded", String(wanted));
  if (wanted && document.activeElement === $("token-chip")) $("token").focus();
}

function use(given) {
  const isOther = given !== current;
  current = given;
  [refusal, offered] = [null, null];
  keep();
  $("token").value = "";
  show();
  open(!current || claims(current) === null);
  if (isOther || given) for (const listener of changed) listener(current);
}

/**
 * Takes the token out of the address at once, so that no bookmark or screenshot has it. The browser's own history file may
 * keep the address that was opened (Chromium does): the token of the start ends within the hour.
 */
function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) history.replaceState(null, "", location.pathname + location.search);
  return given || null;
}

function stored() {
  try {
    return sessionStorage.getItem(KEPT_AS);
  } catch {
    return null; // The browser keeps nothing for this page: then neither do we.
  }
}

function keep() {
  try {
    if (current) sessionStorage.setItem(KEPT_AS, current);
    else sessionStorage.removeItem(KEPT_AS);
  } catch {}
}

/** The claims of a JWT, unchecked: only the gateway can tell whether they are true. */
function claims(jwt) {
  try {
    const [, payload] = jwt.split(".");
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    return typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

function show() {
  const facts = current && claims(current);
  const left = typeof facts?.exp === "number" ? facts.exp - Date.now() / 1000 : null;
  const isOver = left !== null && left <= 0;
  const who = typeof facts?.sub === "string" ? facts.sub : "Token";
  const isBad = Boolean(current && (isOver || refusal));
  const summary = !current ? "No token" : isOver ? "Token expired" : refusal ? "Token refused" : left === null ? who : `${who} · ${roughly(left)}`;
  $("token-summary").replaceChildren(summary, ...(isBad || left === null ? [] : [element("span", { class: "more" }, " left")]));
  $("token-chip").className = `chip ${isBad ? "bad" : current ? "good" : ""}`;
  $("token-said").className = `said ${isBad ? "bad" : ""}`;
  const noToken = "The gateway serves only callers with a token.";
  const noJwt = "This does not look like a token of the gateway (a JWT has three parts between dots). It is sent as it is.";
  const said = !current ? noToken : isOver ? "This token has expired. Paste another one." : (refusal ?? (facts ? "" : noJwt));
  if ($("token-said").textContent !== said) $("token-said").textContent = said;
  $("token-forget").hidden = !current;
  $("token-offer").hidden = !offered;
  const pairs = facts ? describe(facts, left) : [];
  $("token-facts").replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  $("token-facts").hidden = pairs.length === 0;
}

function describe(facts, left) {
  const text = (value) => (Array.isArray(value) ? value.join(" ") : String(value));
  const pairs = [["Caller", facts.sub], ["Plan", facts.plan ?? "default"], ["May", facts.scope ?? facts.scp ?? facts.permissions]];
  if (left !== null) {
    const at = new Date(facts.exp * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    pairs.push([left > 0 ? "Ends" : "Ended", left > 0 ? `${at}, in ${roughly(left)}` : at]);
  }
  return pairs.filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => [name, text(value)]);
}

function roughly(seconds) {
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 7200) return `${Math.floor(seconds / 3600)} h`;
  return seconds < 60 ? duration(Math.floor(seconds)) : `${Math.ceil(seconds / 60)} min`;
}
