import { LIMITS, shared } from "./shared.js";

/** Errors that end a session after which another one can go on. A gateway that stops ends its sessions, too. */
const PASSING = [
  "internal_error", "live_log_full", "live_session_ended", "live_session_lost", "overloaded", "rate_limit_exceeded",
  "store_unavailable",
];

/** Between letters of these scripts there is no space. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Times are rounded to milliseconds. */
const SAME_SECONDS = 0.02;

/** The words of all sessions in one flow, with times of all of the sound. */
export class Transcript {
  text = "";
  /** All sound before this time has its words, or an error of its own. In seconds. */
  heard = 0;
  duration = 0;
  /** Where the last turn begins. It may have several segments, of which one begins where the one before it ends. */
  turnBegin = 0;
  #lastSegment = -Infinity;
  #usages = [];
  #tell;
  /** The part of the text whose turn is not complete. If its session is lost, its sound is sent again. */
  #turn = "";
  /** The text that the next session is going to repeat, and what it has repeated so far. */
  #expected = "";
  #repeated = "";
  #isFirstOfSession = true;

  /** `tell` gets the name of a listener and what it is told. */
  constructor(tell) {
    this.#tell = tell;
  }

  beginSession() {
    this.#expected = this.#turn.trimStart();
    this.#repeated = "";
    this.#isFirstOfSession = true;
  }

  /** Reads an event of a session. */
  read(session, event, response) {
    switch (event?.type) {
      case "transcript.text.delta":
        return typeof event.delta === "string" && this.#readDelta(session, event);
      case "transcript.text.segment":
        return this.#readSegment(session, event);
      case "transcript.text.done":
        this.#release(session);
        session.outcome = { done: event };
        return;
    }
    if (!event?.error) return;
    const error = shared.errorOf(event.error, response);
    if (error.start !== null) return this.#readTurnError(session, error);
    this.#release(session);
    session.outcome = { error, isFinal: !PASSING.includes(error.code) };
  }

  /** Notes what a session has heard that ended as it should. */
  settle({ offset, seconds }, { usage, duration }) {
    this.duration = rounded(offset + (Number.isFinite(duration) ? duration : seconds));
    this.hearUntil(this.duration);
    this.#usages.push(usage);
  }

  hearUntil(seconds) {
    this.turnBegin = this.heard = Math.max(this.heard, seconds || 0);
  }

  /** True if more words of the last turn may have been on their way at this time. */
  mayGoOn(time) {
    return this.turnBegin < this.heard && time - this.#lastSegment < LIMITS.turn * 1000;
  }

  /** Tells of a turn, or of other sound, that has no words. */
  fail(error) {
    [error.start, error.end] = [rounded(error.start), rounded(error.end)];
    this.#endTurn(error.end);
    this.#tell("onEvent", { type: "error", error });
    this.#tell("onError", error);
  }

  done() {
    const usage = sumOf(this.#usages.filter((usage) => typeof usage === "object" && usage !== null));
    return { type: "transcript.text.done", text: this.text, ...(usage && { usage }), duration: this.duration };
  }

  #readDelta(session, event) {
    if (session.repeatsUntil !== null) return session.heldDeltas.push(event);
    const delta = this.#add(event.delta);
    if (delta === "") return;
    const told = { ...event, delta, segment_id: idIn(session, event.segment_id) };
    this.#tell("onEvent", told);
    this.#tell("onDelta", delta, told);
  }

  #readSegment(session, event) {
    const [start, end] = [event.start, event.end].map((seconds) => rounded(seconds + session.offset));
    if (this.#isRepeated(session, start, end)) return;
    const now = performance.now();
    const begin = start <= this.heard + SAME_SECONDS && this.mayGoOn(now) ? this.turnBegin : Math.max(this.heard, start - LIMITS.lead);
    this.#lastSegment = now;
    this.#endTurn(end);
    this.turnBegin = begin;
    const segment = { ...event, id: idIn(session, event.id), start, end };
    this.#tell("onEvent", segment);
    this.#tell("onSegment", segment);
  }

  #readTurnError(session, error) {
    error.start += session.offset;
    error.end += session.offset;
    if (!this.#isRepeated(session, error.start, error.end)) this.fail(error);
  }

  #endTurn(seconds) {
    this.#turn = this.#expected = this.#repeated = "";
    this.hearUntil(seconds);
  }

  /** True for a turn that was told before its recording was sent again. After the first other one, nothing is held back. */
  #isRepeated(session, start, end) {
    if (session.repeatsUntil === null) return false;
    if ((start + end) / 2 < session.repeatsUntil) {
      session.heldDeltas = [];
      return true;
    }
    this.#release(session);
    return false;
  }

  #release(session) {
    session.repeatsUntil = null;
    for (const event of session.heldDeltas.splice(0)) this.#readDelta(session, event);
  }

  /** Adds a delta to the text and returns what is new of it. */
  #add(delta) {
    const added = this.#join(this.#expected === "" ? delta : this.#withoutRepetition(delta));
    this.text += added;
    this.#turn += added;
    return added;
  }

  /** A recogniser that is asked again may use other words. From the first word that differs, they are new. */
  #withoutRepetition(delta) {
    this.#repeated = (this.#repeated + delta).trimStart();
    const [got, expected] = [this.#repeated, this.#expected];
    let same = 0;
    while (same < got.length && got[same] === expected[same]) same++;
    if (same === got.length) return "";
    this.#expected = "";
    return same === expected.length ? got.slice(same) : ` ${got.slice(got.lastIndexOf(" ", same) + 1)}`;
  }

  /** The gateway puts a space between turns, but not before the first one of a session. */
  #join(text) {
    if (text === "" || !this.#isFirstOfSession) return text;
    this.#isFirstOfSession = false;
    const isJoined = this.#turn !== "" || /^$|\s$/.test(this.text) || /^\s/.test(text);
    return isJoined || (UNSPACED.test(this.text.at(-1)) && UNSPACED.test(text[0])) ? text : ` ${text}`;
  }
}

/** Sums of times have digits that nobody measured. */
const rounded = (seconds) => Math.round(seconds * 1000) / 1000;

/** Makes the ids of segments unique in all of the text. */
const idIn = ({ number }, id) => (number === 1 || id === undefined ? id : `${id}.${number}`);

/** Adds up the usage of sessions, member by member. */
function sumOf([first, ...others]) {
  if (others.some(({ type }) => type !== first.type)) return others.at(-1);
  return others.reduce(addUp, first);
}

function addUp(one, other) {
  const isObject = (value) => typeof value === "object" && value !== null;
  const members = Object.keys({ ...one, ...other }).map((name) => {
    const [a, b] = [one[name], other[name]];
    if (typeof a === "number" && typeof b === "number") return [name, a + b];
    return [name, isObject(a) && isObject(b) ? addUp(a, b) : (a ?? b)];
  });
  return Object.fromEntries(members);
}
