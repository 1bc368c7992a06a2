// How deploy/nextjs reads a stream. Run by tests/api/nextjs.rs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TranscriptError, eventData, transcript } from '../../../deploy/nextjs/lib/transcript.ts';

const bytes = (text) => new TextEncoder().encode(text);

/** A body that comes in these pieces. */
const body = (pieces) => ReadableStream.from(pieces);
const answer = (text, init) => new Response(body([bytes(text)]), init);

async function all(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

const DELTAS = ['Où ', 'est-', '🦊 ?'].map((delta) => JSON.stringify({ type: 'transcript.text.delta', delta }));
const EVENTS = [...DELTAS, '{"type":"transcript.text.done","text":"Où est-🦊 ?"}', '[DONE]'];

test('every framing, in one piece, byte by byte, and cut in two anywhere', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    for (const field of ['data: ', 'data:', 'event: transcript\ndata: ', ': still here\n\ndata: ']) {
      const whole = bytes(EVENTS.map((data) => `${field}${data}\n\n`).join('').replaceAll('\n', end));
      assert.deepEqual(await all(eventData(body([whole]))), EVENTS);
      assert.deepEqual(await all(eventData(body([...whole].map((byte) => Uint8Array.of(byte))))), EVENTS);
      for (let at = 0; at <= whole.length; at++) {
        assert.deepEqual(await all(eventData(body([whole.slice(0, at), whole.slice(at)]))), EVENTS, `${field}${at}`);
      }
    }
  }
});

test('an event is there as soon as its blank line is', { timeout: 20_000 }, async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    let send;
    const events = eventData(new ReadableStream({ start: (stream) => (send = stream) }));
    for (const data of ['one', 'two']) {
      send.enqueue(bytes(`data: ${data}${end}${end}`));
      assert.equal((await events.next()).value, data);
    }
  }
});

test('lines of one event are joined, and a blank line that follows nothing is none', async () => {
  assert.deepEqual(await all(eventData(body([bytes('\n\n\ufeff\n')]))), []);
  assert.deepEqual(await all(eventData(body([bytes('\ufeffdata: a\ndata\ndata:  b\n\n\n\ndata: last')]))), ['a\n\n b', 'last']);
});

test('a transcript is its events up to [DONE], without what nobody knows', async () => {
  const noise = 'data: not JSON\n\ndata: null\n\ndata: 7\n\ndata: {"no":"type"}\n\n';
  const events = await all(transcript(answer(noise + EVENTS.map((data) => `data: ${data}\n\n`).join('') + 'data: {"type":"late"}\n\n')));
  assert.deepEqual(events, EVENTS.slice(0, -1).map((data) => JSON.parse(data)));
});

test('an error in the stream is thrown after what came before it', async () => {
  const stream = transcript(answer(`data: ${DELTAS[0]}\n\ndata: {"error":{"message":"It broke.","code":"provider_stream_broken"}}\n\n`));
  assert.equal((await stream.next()).value.delta, 'Où ');
  await assert.rejects(stream.next(), (error) => {
    assert.ok(error instanceof TranscriptError);
    assert.deepEqual([error.message, error.code, error.status], ['It broke.', 'provider_stream_broken', 200]);
    return true;
  });
});

test('a stream without its end is an error', async () => {
  for (const text of ['', ': still here\n\n', `data: ${DELTAS[0]}\n\n`]) {
    await assert.rejects(all(transcript(answer(text))), { code: 'stream_ended' });
  }
});

test('a refusal is thrown with its status, whether or not its body says why', async () => {
  const said = '{"error":{"message":"Too much.","code":"rate_limit_exceeded"}}';
  await assert.rejects(all(transcript(answer(said, { status: 429 }))), { message: 'Too much.', code: 'rate_limit_exceeded', status: 429 });
  for (const text of ['<html>', '', 'null', '{"error":"No."}']) {
    await assert.rejects(all(transcript(answer(text, { status: 502 }))), { message: 'The server answered with 502.', code: null, status: 502 });
  }
});

test('who stops reading lets go of the connection', async () => {
  let cancelled = false;
  const stream = new ReadableStream({
    start: (stream) => stream.enqueue(bytes(`data: ${DELTAS[0]}\n\n`)),
    cancel: () => (cancelled = true),
  });
  for await (const event of transcript(new Response(stream))) {
    assert.equal(event.delta, 'Où ');
    break;
  }
  assert.ok(cancelled);
});
