// The call on screen as curl, Python and JavaScript. Each runs as it is pasted, with the token in $VOXGATE_TOKEN.

import { $, copy, element } from "./dom.js";

const WAYS = [["curl", "curl", curl], ["python", "Python", python], ["javascript", "JavaScript", javascript]];
/** A live session. Python's usual clients do not read an answer while they send. */
const LIVE_WAYS = [["curl", "curl", liveCurl], ["javascript", "JavaScript", liveJavascript]];
let shown = "curl";
let request = null;

export function start() {
  const tabs = WAYS.map(([id, name]) =>
    element("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "code", click: () => choose(id) }, name),
  );
  $("tabs").append(...tabs);
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const ways = waysOf(request);
    const at = ways.findIndex(([id]) => id === shown);
    const [next] = ways[(at + step + ways.length) % ways.length];
    choose(next);
    $(`tab-${next}`).focus();
  });
  $("copy-code").addEventListener("click", () => copy($("code").textContent, $("code-said")));
}

/** Shows a call: `{base, name, call}`, or `{base, isLive, call}`. */
export function show(given) {
  request = { ...given, name: pasteable(given.name ?? "") };
  const ways = waysOf(request).map(([id]) => id);
  for (const [way] of WAYS) $(`tab-${way}`).hidden = !ways.includes(way);
  choose(ways.includes(shown) ? shown : ways[0]);
}

const waysOf = ({ isLive }) => (isLive ? LIVE_WAYS : WAYS);

function choose(id) {
  shown = id;
  for (const [way] of WAYS) {
    $(`tab-${way}`).setAttribute("aria-selected", String(way === id));
    $(`tab-${way}`).tabIndex = way === id ? 0 : -1;
  }
  $("code").setAttribute("aria-labelledby", `tab-${id}`);
  const [, , write] = waysOf(request).find(([way]) => way === id);
  $("code").firstElementChild.textContent = write(request);
}

/** What a terminal or an editor would not take as it looks: controls, marks that turn the text round, blanks at the ends. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|^[-\s]|\s$|^$/u;

/** The name of a file for code that is pasted. To curl, `-` is its own input. */
const pasteable = (name) => (UNSAFE.test(name) ? `recording.${/\.(\w{1,5})\s*$/.exec(name)?.[1] ?? "audio"}` : name);

const pathOf = ({ task }) => `v1/audio/${task === "translate" ? "translations" : "transcriptions"}`;
const FREE_TEXT = new Set(["prompt", "keywords", "language", "languages"]);

function fieldsOf(call) {
  const { task, streams, stream, ...options } = call;
  return Object.entries(stream ? { ...options, stream: true } : options);
}

function curl({ base, name, call }) {
  const lines = [`curl ${call.stream ? "-N" : "-w '\\n'"} ${shell(`${base}${pathOf(call)}`)}`, `-H "Authorization: Bearer $VOXGATE_TOKEN"`];
  // Within its quotes curl reads a comma or a semicolon as part of the name.
  const file = /[",;\\]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name;
  lines.push(`-F ${shell(`file=@${file}`)}`);
  for (const [field, value] of fieldsOf(call)) {
    // A text that begins with @ or < would be the name of a file.
    const flag = FREE_TEXT.has(field) ? "--form-string" : "-F";
    const list = Array.isArray(value) ? value.map((item) => [`${field}[]`, item]) : [[field, value]];
    for (const [of, one] of list) lines.push(`${flag} ${shell(`${of}=${one}`)}`);
  }
  return lines.join(" \\\n  ");
}

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** What Python and JavaScript read alike. */
const quoted = (value) => JSON.stringify(value);

/** Options that OpenAI's SDK for Python has no argument for. */
const EXTRA = new Set(["languages", "keywords"]);

function python({ base, name, call }) {
  const isTranslation = call.task === "translate";
  const fields = fieldsOf(call).filter(([field]) => !(isTranslation && field === "stream"));
  const value = (given) => (given === true ? "True" : quoted(given));
  const lines = fields.filter(([field]) => !EXTRA.has(field)).map(([field, given]) => `${field}=${value(given)},`);
  const extra = fields.filter(([field]) => EXTRA.has(field)).map(([field, given]) => `${quoted(field)}: ${value(given)}`);
  if (extra.length > 0) lines.push(`extra_body={${extra.join(", ")}},`);
  const isStream = call.stream && !isTranslation;
  const method = isTranslation ? "translations" : "transcriptions";
  return [
    "# pip install openai",
    "import os",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${quoted(`${base}v1`)}, api_key=os.environ["VOXGATE_TOKEN"], max_retries=0)`,
    `with open(${quoted(name)}, "rb") as file:`,
    `    ${isStream ? "events" : "answer"} = client.audio.${method}.create(`,
    "        file=file,",
    ...lines.map((line) => `        ${line}`),
    "    )",
    ...(isStream ? pythonEvents(call) : pythonAnswer(call).map((line) => `    ${line}`)),
  ].join("\n");
}

function pythonEvents(call) {
  const isText = call.streams && (call.response_format ?? "json") === "json";
  const lines = isText
    ? [`if event.type == "transcript.text.delta":`, `    print(event.delta, end="", flush=True)`]
    : [`if event.type == "transcript.text.done":`, "    print(event.text)"];
  return ["    for event in events:", ...lines.map((line) => `        ${line}`), ...(isText ? ["print()"] : [])];
}

function pythonAnswer({ response_format: format }) {
  if (["text", "srt", "vtt"].includes(format)) return ["print(answer)"];
  if (format !== "verbose_json") return ["print(answer.text)"];
  return ["for segment in answer.segments or []:", `    print(f"{segment.start:8.2f}  {segment.text.strip()}")`];
}

function javascript({ base, name, call }) {
  const { streams, task, ...options } = call;
  const all = { ...(task === "translate" ? { task } : {}), ...options };
  if (all.stream) delete all.stream; // as the module does of itself
  const lines = Object.entries(all).map(([option, value]) => `  ${option}: ${quoted(value)},`);
  const isText = call.stream && call.streams && (call.response_format ?? "json") === "json";
  return [
    `// Node: curl -so voxgate.mjs ${base}voxgate.js`,
    `// In a page: import { transcribe } from "${base}voxgate.js", and a File instead of openAsBlob.`,
    `import { openAsBlob } from "node:fs";`,
    `import { transcribe } from "./voxgate.mjs";`,
    "",
    `const transcript = transcribe(await openAsBlob(${quoted(name)}), {`,
    `  url: ${quoted(base.replace(/\/$/, ""))},`,
    "  token: process.env.VOXGATE_TOKEN,",
    ...lines,
    "});",
    ...(isText
      ? ["for await (const event of transcript) {", `  if (event.type === "transcript.text.delta") process.stdout.write(event.delta);`, "}", "console.log();"]
      : ["console.log(await transcript.text);"]),
  ].join("\n");
}

function liveCurl({ base, call }) {
  const list = Object.entries(call).flatMap(([field, value]) => (Array.isArray(value) ? value.map((item) => [`${field}[]`, item]) : [[field, value]]));
  const query = new URLSearchParams([...list, ["audio_format", "pcm16"], ["sample_rate", "16000"]]);
  return [
    "arecord -q -t raw -f S16_LE -r 16000 |",
    `  curl -sN -X POST -T . ${shell(`${base}v1/live/stream?${query}`)} \\`,
    `  -H "Authorization: Bearer $VOXGATE_TOKEN"`,
  ].join("\n");
}

function liveJavascript({ base, call }) {
  return [
    "// In a page whose origin is in cors.origins. Your backend opens a session for its user.",
    `import { live } from ${quoted(`${base}voxgate.js`)};`,
    "",
    "const session = await live({",
    `  token: async () => (await (await fetch("/my/session", { method: "POST" })).json()).token,`,
    ...Object.entries(call).map(([option, value]) => `  ${option}: ${quoted(value)},`),
    "  onDelta: (delta) => document.body.append(delta),",
    "});",
    `document.querySelector("button").onclick = () => session.stop();`,
    "console.log((await session.result).text);",
  ].join("\n");
}
