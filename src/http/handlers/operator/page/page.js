// The operator's page: what the gateway does now, what its callers used this month, and the last requests. It reads alone.

/** How often the page asks, in milliseconds. The gateway itself keeps what it has read of the store for 30 seconds. */
const STATE_EVERY = 2_000;
const USAGE_EVERY = 30_000;

/** The months that can be chosen: this one and those before it. */
const MONTHS = 13;

const TOKEN = "voxgate.operator-token";

const byId = (id) => document.getElementById(id);

// ---- Asking the gateway ---------------------------------------------------------------------------------------------

/** An answer that is not the one that was asked for. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.ok) return answer;
  const message = await answer.json().then(({ error }) => error.message).catch(() => `status ${answer.status}`);
  throw new Refused(answer.status, message);
}

const read = async (path) => (await ask(path)).json();

// ---- Building elements ----------------------------------------------------------------------------------------------

/** Makes an element. Everything that comes from elsewhere goes in as text. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A cell of a table: its text, and how it is shown. */
const word = (text, className = "") => ({ text, className });
const name = (text) => ({ text, className: "name", title: text });
const number = (text) => ({ text, className: "number" });

function fill(table, heads, rows, whenEmpty) {
  const cell = (kind) => ({ text, className, title = "" }) => element(kind, { className, title, textContent: text });
  const isNumber = (index) => rows[0]?.[index].className === "number";
  const head = heads.map((text, index) => Object.assign(cell("th")(isNumber(index) ? number(text) : word(text)), { scope: "col" }));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell("td"))));
  const empty = element("tr", {}, element("td", { className: "empty", textContent: whenEmpty, colSpan: heads.length }));
  table.replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...(body.length ? body : [empty])));
}

// ---- Words and numbers ----------------------------------------------------------------------------------------------

const whole = new Intl.NumberFormat("en");
const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** Money comes as a decimal text. No more than what is shown is lost by reading it as a number. */
function money(text) {
  const amount = Number(text);
  const digits = amount !== 0 && amount < 1 ? 4 : 2;
  return `$${amount.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

function bytes(amount) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, amount)) / 10));
  const value = amount / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

/** `1 h 04 min`, `3 min 20 s`, `4.2 s` */
function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  const padded = (value) => String(value).padStart(2, "0");
  if (minutes < 60) return `${minutes} min ${padded(Math.floor(seconds % 60))} s`;
  return `${whole.format(Math.floor(minutes / 60))} h ${padded(minutes % 60)} min`;
}

const STATUS = {
  ready: ["Ready", "good"],
  stopping: ["Stopping: finishing the requests in flight", "bad"],
  store_unavailable: ["The store is away: requests are refused", "bad"],
};
const STORE = { ready: ["ready", "good"], partly_away: ["partly away", "warn"], away: ["away", "bad"] };
const BREAKER = {
  closed: ["in use", "good"],
  half_open: ["one request tries it", "warn"],
  open: ["left alone after failures", "bad"],
};
const KEY = { usable: ["usable", "good"], resting: ["over its limit", "warn"], refused: ["refused", "bad"] };
const ENDING = {
  open: ["in progress", ""],
  answered: ["answered", "good"],
  refunded: ["refused or failed: not charged", "warn"],
  left: ["the client left", "warn"],
  broken: ["broke off", "bad"],
  abandoned: ["the gateway died: estimate charged", "bad"],
};

/** Says a word of the gateway for a person. A word of a later version is said as it is. */
const said = (words, value) => word(...(words[value] ?? [value, ""]));

// ---- Now ------------------------------------------------------------------------------------------------------------

function showState(state) {
  const { text, className } = said(STATUS, state.status);
  const status = byId("status");
  // A screen reader says it again only when it changes.
  if (status.textContent !== text) status.textContent = text;
  status.className = `status ${className}`;
  byId("facts").textContent = `Version ${state.version}, up for ${span(state.uptime_seconds * 1000)}`;
  const { requests, spool, measuring, speech, settlements, store } = state;
  const space = (of) => gauge(bytes(of.used_bytes), `of ${bytes(of.max_bytes)}`, of.used_bytes, of.max_bytes);
  const pool = (of) => gauge(`${of.busy} of ${of.threads}`, `threads busy, ${count(of.queued)} waiting`, of.queued, of.max_queued);
  const places = (of) => gauge(count(of.now), `of ${count(of.max)}`, of.now, of.max);
  byId("gauges").replaceChildren(
    storeGauge(store)("Store"),
    places(requests.in_flight)("Requests in flight"),
    places(requests.queued)("Waiting for a place"),
    gauge(count(requests.streams), "streamed answers")("Streams"),
    gauge(count(settlements.waiting), `to be settled, ${count(settlements.owed)} owed`, settlements.waiting, settlements.max)("Settlements"),
    space(spool.memory)("Spool in memory"),
    space(spool.disk)("Spool on disk"),
    pool(measuring)("Measuring"),
    pool(speech)("Decoding"),
  );
  const rows = state.providers.map((provider) => [
    name(provider.name),
    said(BREAKER, provider.breaker),
    number(count(provider.failures)),
    word(provider.keys.map((key) => `${key.name}: ${said(KEY, key.state).text}`).join(", ") || "no key", worst(provider.keys)),
  ]);
  fill(byId("providers"), ["Provider", "State", "Failures in a row", "Keys"], rows, "There is no provider.");
}

/** The class of the key that is worst off. */
function worst(keys) {
  const classes = keys.map((key) => said(KEY, key.state).className);
  return ["bad", "warn"].find((bad) => classes.includes(bad)) ?? "";
}

/** A tile: a value and, where there is a most, how near to it. */
const gauge = (value, note, now, max) => (title) => {
  const tile = element("div", { className: "gauge" }, element("h3", { textContent: title }), element("b", { textContent: value }));
  tile.append(element("span", { className: "soft", textContent: note }));
  if (max) {
    const meter = element("meter", { min: 0, max, low: max * 0.7, high: max * 0.9, optimum: 0, value: now });
    meter.setAttribute("aria-label", title);
    tile.append(meter);
  }
  return tile;
};

const storeGauge = ({ kind, state }) => (title) => {
  const { text, className } = said(STORE, state);
  const tile = gauge(text, kind === "redis" ? "Redis" : "SQLite, in this process")(title);
  tile.querySelector("b").className = `word ${className}`;
  return tile;
};

// ---- Usage ----------------------------------------------------------------------------------------------------------

function showUsage(usage) {
  const { total } = usage;
  const facts = [["Requests", count(total.requests)], ["Audio", span(total.audio_ms)], ["Spent", money(total.spent_usd)]];
  byId("totals").replaceChildren(
    ...facts.map(([term, value]) => element("div", {}, element("dt", { textContent: term }), element("dd", { textContent: value }))),
  );
  showDays(usage);
  const rows = (of, key) => of.map((row) => [name(row[key]), number(count(row.requests)), number(span(row.audio_ms)), number(money(row.spent_usd))]);
  const heads = (first) => [first, "Requests", "Audio", "Spent"];
  const others = usage.other_callers.requests > 0 ? [{ subject: "all others", ...usage.other_callers }] : [];
  fill(byId("callers"), heads("Caller"), rows([...usage.by_caller, ...others], "subject"), "Nobody yet.");
  fill(byId("models"), heads("Model"), rows(usage.by_model, "model"), "None yet.");
  byId("usage-said").textContent = `What is settled, as of ${new Date(usage.read_at * 1000).toLocaleTimeString()}`;
}

/** A bar for each day of the month, as high as what was spent, or as the audio where nothing cost anything. */
function showDays({ month, by_day }) {
  const [year, number] = month.split("-").map(Number);
  const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
  const costs = by_day.some((day) => Number(day.spent_usd) > 0);
  const size = (day) => (day ? Number(costs ? day.spent_usd : day.audio_ms) : 0);
  const days = Array.from({ length }, (_, index) => {
    const date = `${month}-${String(index + 1).padStart(2, "0")}`;
    return { date, row: by_day.find((row) => row.day === date) };
  });
  const most = Math.max(...days.map(({ row }) => size(row)), 0);
  const bars = days.map(({ date, row }) => {
    const title = row ? `${date}: ${count(row.requests)} requests, ${span(row.audio_ms)}, ${money(row.spent_usd)}` : `${date}: none`;
    const bar = element("span", { title, className: row ? "" : "none" });
    bar.style.setProperty("--part", `${most > 0 ? Math.max(2, (size(row) / most) * 100) : 0}%`);
    return bar;
  });
  byId("days").replaceChildren(...bars);
  const highest = days.find(({ row }) => row && size(row) === most);
  byId("days-said").textContent = highest
    ? `Most on ${highest.date}: ${costs ? money(highest.row.spent_usd) : span(highest.row.audio_ms)}. Days are those of UTC.`
    : "Nothing is settled in this month.";
}

function showRequests({ data }) {
  const rows = data.map((request) => [
    word(new Date(request.created_at * 1000).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" })),
    name(request.subject),
    name(request.model),
    name(request.provider),
    said(ENDING, request.ending),
    number(span(request.audio_ms)),
    number(count(request.pieces)),
    number(count(request.attempts)),
    number(money(request.cost.usd)),
    name(request.request_id),
  ]);
  const heads = ["Time", "Caller", "Model", "Provider", "Ending", "Audio", "Pieces", "Attempts", "Cost", "Request"];
  fill(byId("requests"), heads, rows, "No request is settled yet.");
}

function offerMonths() {
  const now = new Date();
  const months = Array.from({ length: MONTHS }, (_, back) => {
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
    const textContent = first.toLocaleDateString(undefined, { month: "long", year: "numeric", timeZone: "UTC" });
    return element("option", { value: first.toISOString().slice(0, 7), textContent });
  });
  byId("month").replaceChildren(...months);
}

async function download() {
  const month = byId("month").value;
  // A link could not carry the token.
  const sheet = await (await ask(`operator/usage.csv?month=${month}`)).blob();
  const link = element("a", { href: URL.createObjectURL(sheet), download: `voxgate-usage-${month}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- Reading again and again ----------------------------------------------------------------------------------------

let isPaused = false;

/** Repeats `step` while the page can be seen and is not paused. `now` does it at once. */
function repeat(step, every) {
  let timer = null;
  let running = null;
  const now = () => {
    clearTimeout(timer);
    running ??= attempt(step).finally(() => {
      running = null;
      timer = setTimeout(next, every);
    });
    return running;
  };
  const next = () => (isPaused || document.hidden ? (timer = setTimeout(next, 500)) : now());
  return now;
}

/** Does a step, and tells in words why it failed. */
async function attempt(step) {
  try {
    await step();
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return askForToken();
    const status = byId("status");
    status.className = "status bad";
    status.textContent = error instanceof Refused ? error.message : "The gateway does not answer.";
  }
}

function askForToken() {
  if (sessionStorage.getItem(TOKEN)) byId("token-said").textContent = "This token is not the operator's.";
  sessionStorage.removeItem(TOKEN);
  byId("content").hidden = true;
  byId("status").textContent = "A token is needed";
  byId("status").className = "status";
  byId("facts").textContent = "";
  if (!byId("token-form").hidden) return;
  byId("token-form").hidden = false;
  byId("token").focus();
}

function open() {
  byId("token-form").hidden = true;
  byId("content").hidden = false;
}

const readState = repeat(async () => {
  if (!byId("token-form").hidden) return;
  const state = await read("operator/state");
  open();
  showState(state);
}, STATE_EVERY);

const readUsage = repeat(async () => {
  if (!byId("token-form").hidden) return;
  const month = byId("month").value;
  const [usage, requests] = await Promise.all([read(`operator/usage?month=${month}`), read("operator/requests")]);
  // Another month may have been chosen in the meantime.
  if (month === byId("month").value) showUsage(usage);
  showRequests(requests);
}, USAGE_EVERY);

byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  byId("pause").textContent = isPaused ? "Go on" : "Pause";
});
byId("month").addEventListener("change", () => readUsage().then(readUsage));
byId("download").addEventListener("click", () => attempt(download));
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  byId("token-form").hidden = true;
  readState();
  readUsage();
});

offerMonths();
readState();
readUsage();
