// The call's options: the models of the caller, and of each model only what it takes.

import { $, dollars, element } from "./dom.js";

const FORMATS = {
  __proto__: null,
  json: "Text",
  text: "Plain text",
  verbose_json: "With times",
  diarized_json: "With speakers",
  srt: "SRT subtitles",
  vtt: "WebVTT subtitles",
};

/** For gateways that do not tell what a model takes: what most models take. */
const UNKNOWN = {
  tasks: ["transcribe", "translate"],
  formats: ["json", "text", "verbose_json", "srt", "vtt"],
  options: ["language", "prompt"],
  streams: true,
  unknown: true,
};

/** The model that is chosen first, and shown in code as long as the gateway's are not known. */
export const DEFAULT_MODEL = "gpt-transcribe";
const LANGUAGES = "en de fr es it pt nl pl uk ru tr sv da fi cs el ro hu ar he hi ja ko zh".split(" ");

let known = [];
/** True while the options are those of a live session. */
let isLive = false;
/** What was chosen, also of what the current model does not take. */
const chosen = { model: null, task: "transcribe", format: "json", language: "", keywords: "", prompt: "", stream: true };
let notify = () => {};

export function start(onChange) {
  notify = onChange;
  $("options").addEventListener("submit", (event) => event.preventDefault());
  $("options").addEventListener("input", ({ target }) => {
    chosen[target.name] = target.type === "checkbox" ? target.checked : target.value;
    // The fields depend on the model, and on the task.
    if (target.name === "model" || target.name === "task") show();
    summarize();
    notify();
  });
  $("options-card").open = matchMedia("(min-width: 940px)").matches;
  show();
}

/** Offers these models. */
export function offer(models) {
  known = models;
  show();
  notify();
}

/** Offers the options of a live session, or of a recording. */
export function offerLive(wanted) {
  isLive = wanted;
  show();
  notify();
}

export const isSandbox = () => known.length > 0 && known.every(({ owned_by }) => owned_by === "sandbox");

/** The options of the call, as the module and the API name them. */
export function call() {
  const takes = facts();
  const isTranslation = task() === "translate";
  const list = (text) => text.split(",").map((item) => item.trim()).filter(Boolean);
  // Without a model the gateway takes its own default.
  const options = model() ? { model: model() } : {};
  const languages = list(chosen.language);
  if (!isTranslation && languages.length > 1 && has("languages")) options.languages = languages;
  else if (!isTranslation && languages.length > 0 && has("language")) options.language = languages[0];
  if (!isTranslation && has("keywords") && list(chosen.keywords).length > 0) options.keywords = list(chosen.keywords);
  if (has("prompt") && chosen.prompt.trim()) options.prompt = chosen.prompt.trim();
  if (isLive) return options;
  if (format() !== "json") options.response_format = format();
  if (format() === "verbose_json" && !isTranslation && takes.timestamps === "model" && has("timestamp_granularities")) {
    options.timestamp_granularities = ["word", "segment"];
  }
  return { task: task(), stream: chosen.stream, streams: takes.streams, ...options };
}

/** Shows the field of an option, by the name that an error of the API gives it. */
export function reveal(param) {
  $("options-card").open = true;
  fieldOf(param)?.focus();
}

export const hasField = (param) => Boolean(fieldOf(param));
const fieldOf = (param) => $("options").elements.namedItem({ __proto__: null, response_format: "format", languages: "language" }[param] ?? param);

/** The models that take what is to be sent. A gateway that does not tell may take it. */
const models = () => known.filter(({ voxgate }) => !isLive || voxgate?.live !== "none");

function model() {
  const ids = models().map(({ id }) => id);
  return [chosen.model, DEFAULT_MODEL].find((id) => ids.includes(id)) ?? ids[0] ?? null;
}

const facts = () => known.find(({ id }) => id === model())?.voxgate ?? UNKNOWN;
const has = (option) => facts().options.includes(option);
const task = () => (isLive ? "transcribe" : facts().tasks.includes(chosen.task) ? chosen.task : (facts().tasks[0] ?? "transcribe"));
const format = () => (facts().formats.includes(chosen.format) ? chosen.format : (facts().formats[0] ?? "json"));

function show() {
  const takes = facts();
  const focused = document.activeElement?.name;
  const isTranslation = task() === "translate";
  const fields = [modelField(takes)];
  const tasks = [["transcribe", "Transcribe"], ["translate", "Translate into English"]];
  const pair = [];
  if (takes.tasks.length > 1 && !isLive) pair.push(select("task", "Task", tasks, task()));
  if (takes.formats.length > 1 && !isLive) pair.push(select("format", "Format", takes.formats.map((name) => [name, FORMATS[name] ?? name]), format()));
  if (!isTranslation && (has("language") || has("languages"))) pair.push(languageField());
  if (pair.length > 0) fields.push(element("div", { class: "pair" }, ...pair));
  if (!isTranslation && has("keywords")) {
    fields.push(text("keywords", "Keywords", { placeholder: "Voxgate, Eryri" }, "Names and terms to expect, between commas."));
  }
  if (has("prompt")) fields.push(text("prompt", "Prompt", { placeholder: "What the recording is about" }));
  const box = element("input", { type: "checkbox", name: "stream", id: "option-stream" });
  box.checked = chosen.stream;
  if (!isLive) fields.push(element("label", { class: "check" }, box, "Stream the text as it comes"));
  $("options").replaceChildren(...fields);
  if (focused) $("options").elements.namedItem(focused)?.focus();
  summarize();
}

function summarize() {
  const kind = isLive ? null : (FORMATS[format()] ?? format());
  const parts = [model() ?? DEFAULT_MODEL, task() === "translate" ? "into English" : chosen.language || null, kind];
  $("options-summary").textContent = parts.filter(Boolean).join(" · ");
}

function modelField(takes) {
  const offered = models().map(({ id }) => [id, id]);
  const none = [["", known.length > 0 ? "None takes live sound" : "Needs a token"]];
  const field = select("model", "Model", offered.length > 0 ? offered : none, model(), offered.length > 0 ? describe(takes) : null);
  field.querySelector("select").disabled = offered.length === 0;
  return field;
}

function describe(takes) {
  if (takes.unknown) return "This gateway does not tell what the model takes. It refuses what it does not take.";
  const price = takes.usd_per_minute === null || takes.usd_per_minute === undefined ? null : `${dollars(takes.usd_per_minute)} a minute`;
  const times = { model: "gives times", pieces: "times of pieces" }[takes.timestamps] ?? "no times";
  return [price, ...(isLive ? [] : [takes.streams ? "streams" : "answers whole", times])].filter(Boolean).join(" · ");
}

function languageField() {
  const hint = has("languages") ? "Codes such as en, between commas." : "A code such as en.";
  const field = text("language", "Language", { placeholder: "Any", list: "languages", maxlength: 100 }, hint);
  const names = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "language" }) : { of: (code) => code };
  field.append(element("datalist", { id: "languages" }, ...LANGUAGES.map((code) => element("option", { value: code }, names.of(code)))));
  return field;
}

function labelled(name, label, input, hint) {
  const id = `option-${name}`;
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const below = hint ? element("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  return element("div", { class: "field" }, element("label", { for: id }, label), input, below);
}

function select(name, label, values, value, hint) {
  const input = element("select", { name }, ...values.map(([of, words]) => element("option", { value: of }, words)));
  if (value !== null) input.value = value;
  return labelled(name, label, input, hint);
}

function text(name, label, attributes, hint) {
  const input = element("input", { type: "text", name, autocomplete: "off", ...attributes });
  input.value = chosen[name];
  return labelled(name, label, input, hint);
}
