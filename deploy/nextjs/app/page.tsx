"use client";

import { useEffect, useRef, useState } from "react";

import { throughServer, toGateway } from "../lib/transcribe.ts";
import { transcript } from "../lib/transcript.ts";

type State = "idle" | "recording" | "transcribing";

export default function Page() {
  const [state, setState] = useState<State>("idle");
  const [direct, setDirect] = useState(false);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const recorder = useRef<MediaRecorder | null>(null);
  const work = useRef<AbortController | null>(null);

  const leave = () => {
    work.current?.abort();
    if (recorder.current) {
      recorder.current.onstop = null;
      release(recorder.current.stream);
    }
  };
  // Whoever leaves the page neither records nor pays any longer.
  useEffect(() => leave, []);

  async function record() {
    setText("");
    setError("");
    try {
      const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
      const chunks: Blob[] = [];
      const own = new MediaRecorder(microphone);
      own.ondataavailable = ({ data }) => chunks.push(data);
      own.onstop = () => {
        release(microphone);
        void send(new Blob(chunks, { type: own.mimeType }));
      };
      own.start();
      recorder.current = own;
      setState("recording");
    } catch (problem) {
      setError(`The microphone cannot be used: ${message(problem)}`);
    }
  }

  async function send(recording: Blob) {
    setState("transcribing");
    const own = new AbortController();
    work.current = own;
    try {
      const answer = await (direct ? toGateway : throughServer)(recording, own.signal);
      for await (const event of transcript(answer)) {
        if (event.type === "transcript.text.delta") setText((before) => before + event.delta);
        if (event.type === "transcript.text.done") setText(event.text);
      }
    } catch (problem) {
      if (!own.signal.aborted) setError(message(problem));
    } finally {
      setState("idle");
    }
  }

  return (
    <main>
      <h1>Say something</h1>
      <p>
        {state === "idle" && <button onClick={record}>Record</button>}
        {state === "recording" && <button onClick={() => recorder.current?.stop()}>Stop and transcribe</button>}
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

function release(microphone: MediaStream) {
  for (const track of microphone.getTracks()) track.stop();
}

function message(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
