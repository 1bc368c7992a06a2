// Uses the console in a real browser as a newcomer does: records, drops a file, watches, cancels, and meets errors. Run by
// tests/api/browser/console.rs, which answers as the provider.
//
// URL is the gateway's, TOKENS the tokens by their names, RECORDINGS a folder of recordings, CHROMIUM the browser. Each
// finding is a line of JSON: {"saw": …} is what the provider waits for, {"is": …, …} what the test looks at.

import { checkOf } from './axe.mjs';
import { MICROPHONE, launch } from './browser.mjs';
import { MADE_UP, oddities } from './oddities.mjs';

const { RECORDINGS } = process.env;
const URL = process.env.URL;
const TOKENS = JSON.parse(process.env.TOKENS);
/** A machine that is busy with other tests is slow, which is not what this is about. */
const TIMEOUT = Number(process.env.TIMEOUT ?? 180_000);

const browser = await launch(...MICROPHONE);

const say = (line) => console.log(JSON.stringify(line));
const check = checkOf('console', say);
const requested = new Set();

const until = (page, state) => page.locator(`#state.${state}`).waitFor();
const text = (page) => page.locator('#transcript').innerText();
const choose = (page, name, value) => page.locator(`[name=${name}]`).selectOption(value);
const recording = (name) => `${RECORDINGS}/${name}`;

const scenes = {
  microphone, drop, queue, times, split, cancel, again, tokens, limit, offline, keyboard, narrow, sizes,
  ...oddities({ url: URL, tokens: TOKENS, open, check, say, until, choose, recording }),
};
try {
  for (const [name, scene] of Object.entries(scenes)) {
    if (process.env.SCENES && !process.env.SCENES.split(',').includes(name)) continue;
    await scene().catch((error) => say({ is: 'error', scene: name, error: String(error) }));
  }
  const elsewhere = [...requested].filter((url) => !url.startsWith(URL) && !/^(blob|data):/.test(url));
  say({ is: 'requests', count: requested.size, elsewhere });
} finally {
  await browser.close();
}

/** Opens the console as the start of the gateway prints its address. */
async function open({ token = 'good', width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on('pageerror', (error) => say({ is: error.message === MADE_UP ? 'reported' : 'error', error: String(error) }));
  page.on('console', (message) => {
    // The browser logs each refusal and each lost connection as an error of its own.
    if (message.type() === 'error' && !/Failed to load resource|made up/.test(message.text())) say({ is: 'error', error: message.text() });
  });
  page.on('request', (request) => requested.add(request.url()));
  await page.goto(token ? `${URL}/#token=${TOKENS[token]}` : URL);
  if (token) await page.locator('#option-model:enabled').waitFor({ state: 'attached' });
  return page;
}

/** Press the button and speak: the deltas are shown one by one, as the provider lets them go. */
async function microphone() {
  const page = await open();
  say({ is: 'address', url: page.url(), kept: await page.evaluate(() => Object.keys(sessionStorage)), local: await page.evaluate(() => localStorage.length) });
  await check(page, 'empty');
  await page.locator('#record').click();
  await page.locator('#record[aria-label="Stop and transcribe"]').waitFor();
  // The fake microphone beeps once a second.
  await page.waitForFunction(() => Number(document.getElementById('level').getAttribute('aria-valuenow')) > 10);
  await page.waitForFunction(() => document.getElementById('elapsed').textContent >= '0:01');
  await check(page, 'recording');
  await page.locator('#record').click();
  for (const words of ['Sphinx', 'Sphinx of', 'Sphinx of black']) {
    await page.waitForFunction((words) => document.getElementById('transcript').textContent.trim() === words, words);
    say({ saw: words, state: await page.locator('#state').innerText() });
  }
  await until(page, 'done');
  await page.locator('#facts').getByText('Cost', { exact: true }).or(page.locator('#facts-said:not([hidden])')).first().waitFor();
  say({ is: 'microphone', text: await text(page), facts: await page.locator('#facts').innerText() });
  // The recording can be heard, and it has a length although browsers write none.
  await page.waitForFunction(() => / \/ 0:0[1-9]/.test(document.getElementById('clock').textContent));
  await page.locator('#copy').click();
  say({ is: 'copied', text: await page.evaluate(() => navigator.clipboard.readText()) });
  await check(page, 'done');
  await page.context().close();
}

/** Drops a file on the page. */
async function drop() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-transcribe');
  await choose(page, 'format', 'text');
  const data = await page.evaluateHandle(async () => {
    const bytes = await (await fetch('console/sentence.mp3')).arrayBuffer();
    const data = new DataTransfer();
    data.items.add(new File([bytes], '<b>speech</b>.mp3', { type: 'audio/mpeg' }));
    return data;
  });
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('body', type, { dataTransfer: data });
  await until(page, 'done');
  say({ is: 'drop', text: await text(page), name: await page.locator('#result-heading').innerText(), overlay: await page.locator('#dropping').isVisible() });
  await page.context().close();
}

/** Several files go one after another; a data: URL and a sample are recordings like any other. */
async function queue() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-transcribe');
  await page.locator('#files').setInputFiles(['vbr.mp3', 'opus.ogg', 'speech.flac'].map(recording));
  await page.waitForFunction(() => document.querySelectorAll('#queue .done').length === 3);
  const names = await page.locator('#queue .name').allInnerTexts();
  await page.locator('.paste summary').click();
  await page.locator('#paste').fill('nonsense');
  await page.getByRole('button', { name: 'Transcribe it' }).click();
  const refused = await page.locator('#paste-said').innerText();
  const url = await page.evaluate(async () => {
    const blob = await (await fetch('console/sentence.mp3')).blob();
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(blob);
    });
  });
  await page.locator('#paste').fill(url);
  await page.getByRole('button', { name: 'Transcribe it' }).click();
  await page.waitForFunction(() => document.querySelectorAll('#queue .done').length === 4);
  await page.locator('#samples button').first().click();
  await page.waitForFunction(() => document.querySelectorAll('#queue .done').length === 5);
  say({ is: 'queue', names, refused, all: await page.locator('#queue .name').allInnerTexts() });
  await page.context().close();
}

/** With times: a click on a word plays from there, and what is heard is marked. Subtitles are made from them. */
async function times() {
  const page = await open();
  await choose(page, 'model', 'whisper-1');
  await choose(page, 'format', 'verbose_json');
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await until(page, 'done');
  await page.waitForFunction(() => /0:02/.test(document.getElementById('clock').textContent));
  await page.locator('.word').first().click();
  await page.waitForFunction(() => document.querySelector('#transcript li.heard .word.heard'));
  const marked = await page.locator('.word.heard').innerText();
  await page.locator('#play[aria-label=Pause]').click({ timeout: 5000 }).catch(() => {});
  await page.locator('#seek').focus();
  await page.keyboard.press('End');
  const at = await page.locator('#seek').getAttribute('aria-valuetext');
  const outputs = {};
  for (const kind of ['txt', 'srt', 'vtt', 'json']) {
    await page.locator('#as').selectOption(kind);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#download').click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    outputs[download.suggestedFilename()] = Buffer.concat(chunks).toString();
  }
  say({ is: 'times', marked, at, outputs, code: await page.locator('#code').innerText() });
  await check(page, 'times');
  await page.context().close();
}

/** A recording that its model does not take whole shows how far its pieces are. */
async function split() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-transcribe');
  await page.locator('#files').setInputFiles(process.env.LONG);
  await page.waitForFunction(() => /1 (of \d+ )?piece/.test(document.getElementById('bar-label').textContent));
  say({ saw: 'a piece', label: await page.locator('#bar-label').innerText(), bar: await page.locator('#bar').evaluate((bar) => bar.position) });
  await until(page, 'done');
  say({ is: 'split', text: await text(page), facts: await page.locator('#facts').innerText() });
  await page.context().close();
}

/** A request can be cancelled while its text comes. */
async function cancel() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-mini-transcribe');
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await page.waitForFunction(() => document.getElementById('transcript').textContent.includes('for ever'));
  await page.locator('#cancel').click();
  await until(page, 'cancelled');
  say({ is: 'cancel', text: await text(page), again: await page.locator('#again').isVisible() });
  await page.context().close();
}

/** What was cancelled or done can be sent again with other options. */
async function again() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-transcribe');
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await until(page, 'done');
  await page.locator('[name=prompt]').fill("it's \"quoted\" & <b>bold</b>");
  await page.locator('#again').click();
  await until(page, 'done');
  const codes = {};
  for (const name of ['curl', 'Python', 'JavaScript']) {
    await page.getByRole('tab', { name }).click();
    await page.locator('#copy-code').click();
    codes[name] = await page.evaluate(() => navigator.clipboard.readText());
  }
  say({ is: 'code', codes });
  await page.context().close();
}

/** Without a token, with one that is none, and with one that has expired: said in words, and another one is asked for. */
async function tokens() {
  const page = await open({ token: null });
  const none = await page.locator('#token-said').innerText();
  await check(page, 'token');
  await page.locator('#token').fill('of nobody');
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.locator('.said.bad').waitFor();
  const refused = await page.locator('#token-said').innerText();
  await page.locator('#token').fill(TOKENS.expired);
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.waitForFunction(() => document.getElementById('token-summary').textContent === 'Token expired');
  const expired = await page.locator('#token-said').innerText();
  // Sent all the same, it is the gateway that refuses it; the recording stays, and goes with the next token.
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await until(page, 'failed');
  const failure = await page.locator('#failure').innerText();
  await page.locator('#token').fill(TOKENS.without_usage);
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.waitForFunction(() => document.getElementById('transcript').textContent.includes('Sphinx'));
  say({ saw: 'the first word', all: true });
  await until(page, 'done');
  await page.locator('#facts-said').waitFor();
  const said = await page.locator('#facts-said').innerText();
  await page.locator('#token-chip').click();
  say({ is: 'tokens', none, refused, expired, failure, said, who: await page.locator('#token-facts').innerText() });
  await page.context().close();
}

/** A limit counts down, and the recording goes by itself when it may. */
async function limit() {
  const page = await open({ token: 'limited' });
  await choose(page, 'model', 'gpt-4o-transcribe');
  await page.locator('#files').setInputFiles([recording('sample.wav'), recording('vbr.mp3')]);
  await until(page, 'held');
  await page.waitForFunction(() => /goes again in \d+ second/.test(document.getElementById('countdown')?.textContent ?? ''));
  const [countdown, failure] = [await page.locator('#countdown').innerText(), await page.locator('#failure').innerText()];
  await check(page, 'limit');
  await until(page, 'done');
  say({ is: 'limit', countdown, failure, done: await page.locator('#queue .done').count(), facts: await page.locator('#facts').innerText() });
  await page.context().close();
}

/** A gateway that cannot be reached is told in words; what was not sent can be sent again. */
async function offline() {
  const page = await open();
  await choose(page, 'model', 'gpt-4o-transcribe');
  await page.context().setOffline(true);
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await until(page, 'failed');
  const failure = await page.locator('#failure').innerText();
  await check(page, 'offline');
  await page.context().setOffline(false);
  await page.locator('#retry').click();
  await until(page, 'done');
  say({ is: 'offline', failure, text: await text(page), hidden: !(await page.locator('#failure').isVisible()) });
  await page.context().close();
}

/** Without a mouse: token, recording, options, transcript, code. */
async function keyboard() {
  const page = await open({ token: null });
  const reach = async (selector) => {
    for (let presses = 0; presses < 60; presses++) {
      if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${selector} cannot be reached by keyboard`);
  };
  await reach('#token');
  await page.keyboard.insertText(TOKENS.good);
  await page.keyboard.press('Enter');
  await page.locator('#option-model:enabled').waitFor({ state: 'attached' });
  await reach('#record');
  await page.keyboard.press('Enter');
  await page.locator('#record[aria-label="Stop and transcribe"]').waitFor();
  await page.waitForFunction(() => document.getElementById('elapsed').textContent >= '0:01');
  await page.keyboard.press('Space');
  await page.waitForFunction(() => document.getElementById('transcript').textContent.includes('Sphinx'));
  say({ saw: 'the first word', all: true });
  await until(page, 'done');
  await reach('#option-model');
  await page.keyboard.type('whisper');
  await reach('#option-format');
  await page.keyboard.type('With t');
  await reach('#again');
  await page.keyboard.press('Enter');
  await until(page, 'done');
  await page.locator('#transcript li').first().waitFor();
  await reach('#transcript li button');
  await page.keyboard.press('Enter');
  await reach('#tabs [aria-selected=true]');
  await page.keyboard.press('ArrowRight');
  const code = await page.locator('#code').innerText();
  say({ is: 'keyboard', code, focus: await page.evaluate(() => document.activeElement.textContent), announced: await page.locator('#announce').innerText() });
  await page.context().close();
}

/** Narrow and dark. */
async function narrow() {
  const page = await open({ width: 360, height: 740, colorScheme: 'dark' });
  await page.locator('#options-card > summary').click();
  await choose(page, 'model', 'whisper-1');
  await choose(page, 'format', 'verbose_json');
  await page.locator('#files').setInputFiles(recording('sample.wav'));
  await until(page, 'done');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  say({ is: 'narrow', wide });
  await check(page, 'narrow');
  await page.context().close();
}

/** The module can be loaded by a page of any origin; the page itself goes into no frame. */
async function sizes() {
  const page = await open();
  const heads = {};
  for (const path of ['/', '/voxgate.js', '/console/console.js']) {
    const answer = await page.request.get(URL + path);
    heads[path] = answer.headers();
  }
  say({ is: 'heads', heads });
  await page.context().close();
}
