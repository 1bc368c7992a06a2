// Reads a transcript that comes as server-sent events. For the page, and for whoever else reads such a stream.

export type TranscriptEvent =
  | { type: "transcript.text.delta"; delta: string }
  | { type: "transcript.text.segment"; text: string; speaker?: string; start: number; end: number }
  | { type: "transcript.text.done"; text: string };

/** What the gateway, or the server before it, said was wrong. */
export class TranscriptError extends Error {
  readonly code: string | null;
  readonly status: number;

  constructor(message: string, code: string | null, status: number) {
    super(message);
    this.name = "TranscriptError";
    this.code = code;
    this.status = status;
  }
}

/** The events of an answer, as they come. Throws what it refuses with, at its start or in the middle of it. */
export async function* transcript(answer: Response): AsyncGenerator<TranscriptEvent> {
  if (!answer.ok || !answer.body) throw await refused(answer);
  for await (const data of eventData(answer.body)) {
    if (data === "[DONE]") return;
    const event = parsed(data);
    if (event?.error) throw said(event.error, answer.status);
    // What is not known is nothing to fail at: there may be more kinds of events one day.
    if (typeof event?.type === "string") yield event as TranscriptEvent;
  }
  throw new TranscriptError("The stream ended before the transcript did.", "stream_ended", answer.status);
}

/** The data of each event of a stream, by the rules of the HTML standard (9.2.6, interpreting an event stream). */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line === "") {
      if (data.length > 0) yield data.join("\n");
      data = [];
    } else if (line === "data") {
      data.push("");
    } else if (line.startsWith("data:")) {
      data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
    }
    // The rest are comments, with which the gateway keeps the connection alive, and fields that say nothing here.
  }
  // By the standard an event without the blank line after it is none. Here it would be the last words of somebody.
  if (data.length > 0) yield data.join("\n");
}

/** Lines that end in LF, CR or CRLF, wherever the chunks are cut. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  // Takes a byte order mark away, and holds back a character that is cut in two.
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let afterReturn = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (text === "" && !done) continue;
      // A CR ends its line at once, so that no event waits for what comes next; if that is its LF, the line has ended.
      const fresh = afterReturn && text.startsWith("\n") ? text.slice(1) : text;
      afterReturn = text.endsWith("\r");
      const whole = (rest + fresh).split(/\r\n|\r|\n/);
      rest = whole.pop() ?? "";
      yield* whole;
      if (done) break;
    }
    if (rest !== "") yield rest;
  } finally {
    // Whoever stops reading lets go of the connection, and with it of the work behind it.
    await reader.cancel().catch(() => {});
  }
}

function parsed(data: string): { type?: unknown; error?: unknown } | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

async function refused(answer: Response): Promise<TranscriptError> {
  const body = parsed(await answer.text());
  return said(body?.error, answer.status);
}

function said(error: unknown, status: number): TranscriptError {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  return new TranscriptError(
    typeof message === "string" ? message : `The server answered with ${status}.`,
    typeof code === "string" ? code : null,
    status,
  );
}
