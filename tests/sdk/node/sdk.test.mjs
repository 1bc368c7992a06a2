// OpenAI's Node SDK against the gateway, with nothing changed but the base URL and the key.
//
// Run by tests/api/sdk.rs. The provider behind the gateway does what a prompt "provider: …" asks of it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import OpenAI, { toFile } from 'openai';

const { RECORDING, TRANSCRIPT, EXPIRED_TOKEN, UNSCOPED_TOKEN } = process.env;

// Address and key come from OPENAI_BASE_URL and OPENAI_API_KEY, as everywhere.
const client = new OpenAI({ maxRetries: 0 });

const bytes = () => fs.readFileSync(RECORDING);
const stream = () => fs.createReadStream(RECORDING);
const transcribe = (options, by = client) =>
  by.audio.transcriptions.create({ file: stream(), model: 'gpt-transcribe', ...options });

/** What the promise fails with. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('it did not fail');
}

test('json, from a file that comes first and has no length', async () => {
  const answer = await transcribe();
  assert.equal(answer.text, TRANSCRIPT);
  assert.equal(answer.usage.total_tokens, 59);
});

test('verbose_json', async () => {
  const answer = await transcribe({
    model: 'whisper-1',
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
  });
  assert.equal(answer.text, TRANSCRIPT);
  assert.equal(answer.words[0].word, 'Sphinx');
  assert.equal(answer.segments[0].end, 1.8);
});

test('text and subtitles', async () => {
  for (const response_format of ['text', 'srt', 'vtt']) {
    const answer = await transcribe({ model: 'whisper-1', response_format });
    assert.equal(typeof answer, 'string');
    assert.ok(answer.includes(TRANSCRIPT));
  }
});

test('diarized_json with an object as an option', async () => {
  const answer = await transcribe({
    model: 'gpt-4o-transcribe-diarize',
    response_format: 'diarized_json',
    chunking_strategy: { type: 'server_vad', threshold: 0.4 },
  });
  assert.equal(answer.segments[0].speaker, 'A');
});

test('bytes, with a name and without', async () => {
  for (const file of [await toFile(bytes(), 'speech.wav'), await toFile(bytes()), new File([bytes()], 'blob')]) {
    assert.equal((await transcribe({ file })).text, TRANSCRIPT);
  }
});

test('fields before the file and after it', async () => {
  const { transcriptions } = client.audio;
  const before = await transcriptions.create({ model: 'gpt-transcribe', language: 'en', file: stream() });
  const after = await transcriptions.create({ file: await toFile(bytes(), 'a.wav'), model: 'gpt-transcribe', languages: ['en', 'de'] });
  assert.deepEqual([before.text, after.text], [TRANSCRIPT, TRANSCRIPT]);
});

test('a stream of deltas', async () => {
  const events = [];
  for await (const event of await transcribe({ stream: true })) events.push(event);
  const done = events.pop();
  assert.equal(done.type, 'transcript.text.done');
  assert.equal(done.text, TRANSCRIPT);
  assert.equal(events.map((event) => event.delta).join(''), TRANSCRIPT);
});

test('a stream from a model that cannot stream', async () => {
  const events = [];
  for await (const event of await transcribe({ model: 'whisper-1', stream: true })) events.push(event);
  assert.deepEqual(events.map((event) => [event.type, event.text]), [['transcript.text.done', TRANSCRIPT]]);
});

test('a break in mid-stream is thrown', async () => {
  const events = [];
  const error = await failure(
    (async () => {
      for await (const event of await transcribe({ stream: true, prompt: 'provider: break in mid-stream' })) events.push(event);
    })(),
  );
  assert.ok(error instanceof OpenAI.APIError);
  assert.equal(error.code, 'provider_stream_broken');
  assert.equal(events.length, 1);
});

test('translations', async () => {
  const { translations } = client.audio;
  assert.equal((await translations.create({ file: stream(), model: 'whisper-1' })).text, TRANSCRIPT);
  const subtitles = await translations.create({ file: stream(), model: 'whisper-1', response_format: 'srt' });
  assert.ok(subtitles.includes(TRANSCRIPT));
});

test('models', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes('gpt-transcribe'));
});

test('each error becomes its own exception', async () => {
  const by = (apiKey) => client.withOptions({ apiKey });
  const text = await toFile(Buffer.from('Only a text. '), 'a.mp3');
  const large = await toFile(Buffer.alloc(26214401), 'a.wav');
  const cases = [
    [() => transcribe({}, by('no-token-at-all')), OpenAI.AuthenticationError, 401, 'invalid_token'],
    [() => transcribe({}, by(EXPIRED_TOKEN)), OpenAI.AuthenticationError, 401, 'token_expired'],
    [() => transcribe({}, by(UNSCOPED_TOKEN)), OpenAI.PermissionDeniedError, 403, 'insufficient_scope'],
    [() => transcribe({ temperature: 7 }), OpenAI.BadRequestError, 400, 'invalid_value'],
    [() => transcribe({ model: 'gpt-4o-transcribe', response_format: 'srt' }), OpenAI.BadRequestError, 400, 'unsupported_value'],
    [() => transcribe({ model: 'no-such-model' }), OpenAI.NotFoundError, 404, 'model_not_found'],
    [() => transcribe({ file: text }), OpenAI.BadRequestError, 400, 'invalid_audio'],
    [() => transcribe({ file: large }), OpenAI.APIError, 413, 'file_too_large'],
    [() => transcribe({ prompt: 'provider: status 400' }), OpenAI.BadRequestError, 400, 'from_provider'],
    [() => transcribe({ prompt: 'provider: status 429' }), OpenAI.RateLimitError, 429, 'from_provider'],
    [() => transcribe({ prompt: 'provider: status 500' }), OpenAI.InternalServerError, 500, 'from_provider'],
    [() => transcribe({ prompt: 'provider: status 503' }), OpenAI.InternalServerError, 503, 'from_provider'],
    [() => transcribe({ prompt: 'provider: refuse the key' }), OpenAI.InternalServerError, 502, 'provider_auth_failed'],
  ];
  const errors = [];
  // One after another: what a provider says of its limits is true for others too.
  for (const [ask] of cases) errors.push(await failure(ask()));
  cases.forEach(([, kind, status, code], i) => {
    const error = errors[i];
    assert.ok(error instanceof kind, `${code}: ${error}`);
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.ok(error.requestID, code);
  });
});
