"use client";

import { useEffect, useRef, useState } from "react";
import { record, type Recording } from "@voxgate/client";

import { throughServer, toGateway } from "../lib/transcribe.ts";

type State = "idle" | "recording" | "transcribing";

export default function Page() {
  const [state, setState] = useState<State>("idle");
  const [direct, setDirect] = useState(false);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const recording = useRef<Recording | null>(null);
  const work = useRef<AbortController | null>(null);

  // Whoever leaves the page neither records nor pays any longer.
  useEffect(() => () => work.current?.abort(), []);

  async function start() {
    setText("");
    setError("");
    work.current = new AbortController();
    try {
      recording.current = await record({ signal: work.current.signal });
      setState("recording");
    } catch (problem) {
      setError(message(problem));
    }
  }

  async function send(signal: AbortSignal) {
    setState("transcribing");
    try {
      const blob = await recording.current!.stop();
      for await (const event of (direct ? toGateway : throughServer)(blob, signal)) {
        if (event.type === "transcript.text.delta") setText((before) => before + event.delta);
        if (event.type === "transcript.text.done") setText(event.text);
      }
    } catch (problem) {
      if (!signal.aborted) setError(message(problem));
    } finally {
      setState("idle");
    }
  }

  return (
    <main>
      <h1>Say something</h1>
      <p>
        {state === "idle" && <button onClick={start}>Record</button>}
        {state === "recording" && <button onClick={() => void send(work.current!.signal)}>Stop and transcribe</button>}
        {state === "transcribing" && <button onClick={() => work.current?.abort()}>Cancel</button>}
      </p>
      <label>
        <input type="checkbox" checked={direct} disabled={state !== "idle"} onChange={() => setDirect(!direct)} /> Send it
        to the gateway directly
      </label>
      <p aria-live="polite" id="transcript" style={{ whiteSpace: "pre-wrap" }}>
        {text}
      </p>
      {error && (
        <p role="alert" style={{ color: "#a00" }}>
          {error}
        </p>
      )}
    </main>
  );
}

function message(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
