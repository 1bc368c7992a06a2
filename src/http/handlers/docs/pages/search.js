// The search: the sections whose page, heading or text has every word that was typed, the best first. The index is fetched
// when the box is first used.

const MAX_RESULTS = 12;
const MAX_QUERY = 100;
const BEFORE = 50;
const LENGTH = 190;

const [box, query, found, results] = ["search", "query", "found", "results"].map((name) => document.getElementById(`docs-${name}`));
let index = null;

export function startSearch() {
  box.hidden = false;
  query.addEventListener("focus", load);
  query.addEventListener("input", show);
  document.addEventListener("keydown", onKey);
  // A result may be on this page.
  window.addEventListener("hashchange", close);
  document.addEventListener("click", (event) => {
    if (!box.contains(event.target)) close();
  });
}

/** Fetches the index once; after a failure the next use tries again. */
function load() {
  index ??= fetch("/docs/search.json")
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
    .then(({ sections }) => sections.map(prepared))
    .catch(() => (index = null));
  return index;
}

function prepared(section) {
  const lower = (text) => text.toLowerCase();
  const isPage = !section.address.includes("#");
  return { ...section, isPage, low: { page: lower(section.page), heading: lower(section.heading), text: lower(section.text) } };
}

async function show() {
  const typed = query.value;
  const words = [...new Set(typed.slice(0, MAX_QUERY).toLowerCase().split(/\s+/).filter(Boolean))];
  if (words.length === 0) return close();
  const sections = await load();
  // The reader may have typed on.
  if (query.value !== typed) return;
  if (!sections) return fill([note("The search could not be loaded.")], "The search could not be loaded.");
  const ranked = sections.map((section) => ({ section, score: scoreOf(section, words) })).filter(({ score }) => score > 0);
  ranked.sort((one, other) => other.score - one.score);
  const best = ranked.slice(0, MAX_RESULTS).map(({ section }) => result(section, words));
  if (best.length === 0) return fill([note("Nothing found.")], "Nothing found.");
  fill(best, `${ranked.length} ${ranked.length === 1 ? "result" : "results"}`);
}

/** The sum over the words of where each is at its best; 0 if one is nowhere. */
function scoreOf(section, words) {
  let sum = 0;
  for (const word of words) {
    const score = Math.max(
      section.isPage ? placed(section.low.page, word, 40) : placed(section.low.page, word, 1),
      placed(section.low.heading, word, 20),
      placed(section.low.text, word, 4),
    );
    if (score === 0) return 0;
    sum += score;
  }
  const phrase = words.join(" ");
  return sum + (words.length > 1 && section.low.text.includes(phrase) ? 6 : 0);
}

/** `weight` if a text has the word, half as much again where a word begins with it, twice as much if it is that word. */
function placed(text, word, weight) {
  let best = 0;
  for (let at = text.indexOf(word); at >= 0 && best < 2; at = text.indexOf(word, at + 1)) {
    const begins = !isLetter(text[at - 1]);
    best = Math.max(best, begins && !isLetter(text[at + word.length]) ? 2 : begins ? 1.5 : 1);
  }
  return best * weight;
}

const isLetter = (letter) => letter !== undefined && /[\p{L}\p{N}_]/u.test(letter);

function result({ address, page, heading, text, isPage, low }, words) {
  const link = document.createElement("a");
  link.href = address;
  const title = document.createElement("b");
  title.append(...marked(heading, words));
  link.append(title);
  if (!isPage) {
    const where = document.createElement("span");
    where.textContent = page;
    link.append(" ", where);
  }
  const passage = document.createElement("p");
  const first = Math.min(...words.map((word) => low.text.indexOf(word)).filter((at) => at >= 0), text.length);
  const start = first === text.length || first < BEFORE ? 0 : text.indexOf(" ", first - BEFORE) + 1;
  const end = start + LENGTH < text.length ? text.lastIndexOf(" ", start + LENGTH) : text.length;
  const shown = text.slice(Math.min(start, first), Math.max(end, first));
  passage.append(start > 0 ? "… " : "", ...marked(shown, words), end < text.length ? " …" : "");
  link.append(passage);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

/** The text in nodes, with the words in `mark` elements. */
function marked(text, words) {
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "iu");
  return text.split(pattern).map((part, at) => {
    if (at % 2 === 0) return document.createTextNode(part);
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}

function note(text) {
  const item = document.createElement("li");
  item.className = "nothing";
  item.textContent = text;
  return item;
}

function fill(items, said) {
  results.replaceChildren(...items);
  results.scrollTop = 0;
  results.hidden = false;
  found.textContent = said;
}

function close() {
  results.hidden = true;
  results.replaceChildren();
  found.textContent = "";
}

function onKey(event) {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    return query.focus();
  }
  if (results.hidden || !box.contains(document.activeElement)) return;
  const links = [...results.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") {
    close();
    query.focus();
  } else if (event.key === "Enter" && at < 0) {
    links[0]?.click();
  } else if (step !== undefined && links.length > 0) {
    (at + step < 0 ? query : links[Math.min(at + step, links.length - 1)]).focus();
  } else return;
  event.preventDefault();
}
