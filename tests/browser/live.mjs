// Uses the Live tab of the console in a real browser, whose microphone says sentences with pauses, once. Run by
// tests/api/browser/live.rs, which answers as the provider.
//
// URL is the gateway's, TOKENS the tokens by their names, SPEECH what the microphone says, SENTENCES how many, CHROMIUM the
// browser. Each finding is a line of JSON.

import { checkOf } from './axe.mjs';
import { MICROPHONE, launch } from './browser.mjs';

const { SPEECH, URL } = process.env;
const TOKENS = JSON.parse(process.env.TOKENS);
const SENTENCES = Number(process.env.SENTENCES);
/** A machine that is busy with other tests is slow, which is not what this is about. */
const TIMEOUT = Number(process.env.TIMEOUT ?? 180_000);

const say = (line) => console.log(JSON.stringify(line));
const check = checkOf('live', say);

const turns = (page, count) =>
  page.waitForFunction((count) => document.querySelectorAll('#live-transcript li:not(.open)').length >= count, count);
const state = (page, name) => page.locator(`#live-state.${name}`).waitFor();

const scenes = { speaks, keyboard, refused, narrow };
for (const [name, scene] of Object.entries(scenes)) {
  if (process.env.SCENES && !process.env.SCENES.split(',').includes(name)) continue;
  // The microphone begins anew with each browser.
  const browser = await launch(...MICROPHONE, `--use-file-for-fake-audio-capture=${SPEECH}%noloop`);
  await scene(browser).catch((error) => say({ is: 'error', scene: name, error: String(error) }));
  await browser.close();
}

/** Opens the Live tab. */
async function open(browser, { token = 'good', width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on('pageerror', (error) => say({ is: 'error', error: String(error) }));
  page.on('console', (message) => {
    // The browser logs each refusal and each lost connection as an error of its own.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) say({ is: 'error', error: message.text() });
  });
  await page.goto(token ? `${URL}/#token=${TOKENS[token]}` : URL);
  if (token) await page.locator('#option-model:enabled').waitFor({ state: 'attached' });
  return page;
}

/** Words appear while somebody speaks. The network is away for five seconds, and nothing is lost. */
async function speaks(browser) {
  const page = await open(browser);
  await page.locator('#way-live').click();
  const models = await page.locator('#option-model option').allInnerTexts();
  await check(page, 'empty');
  await page.locator('#listen').click();
  await turns(page, 1);
  const early = { elapsed: await page.locator('#live-elapsed').innerText(), state: await page.locator('#live-state').innerText() };
  const blocked = await page.locator('#way-record').isDisabled();
  await check(page, 'listening');
  await page.context().setOffline(true);
  await state(page, 'held');
  await page.waitForFunction(() => / [5-9] s kept/.test(document.getElementById('live-state').textContent));
  const away = await page.locator('#live-state').innerText();
  await check(page, 'away');
  await page.context().setOffline(false);
  await state(page, 'sending');
  await turns(page, SENTENCES);
  await page.locator('#live-stop').click();
  await state(page, 'done');
  const rows = await page.locator('#live-transcript li').allInnerTexts();
  const outputs = {};
  for (const kind of ['txt', 'srt', 'json']) {
    await page.locator('#live-as').selectOption(kind);
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#live-download').click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    outputs[kind] = Buffer.concat(chunks).toString();
  }
  await check(page, 'done');
  const code = {};
  for (const name of ['curl', 'JavaScript']) {
    await page.getByRole('tab', { name }).click();
    code[name] = await page.locator('#code').innerText();
  }
  const facts = await page.locator('#live-facts').innerText();
  say({ is: 'speaks', models, early, blocked, away, rows, outputs, code, facts, failure: await page.locator('#live-failure').isVisible() });
}

/** Without a mouse. What is said is announced. */
async function keyboard(browser) {
  const page = await open(browser);
  const reach = async (selector) => {
    for (let presses = 0; presses < 60; presses++) {
      if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${selector} cannot be reached by keyboard`);
  };
  await reach('#way-record');
  await page.keyboard.press('ArrowRight');
  const tab = await page.evaluate(() => document.activeElement.id);
  await reach('#option-language');
  await page.keyboard.type('en');
  await page.evaluate(() => document.activeElement.blur());
  await reach('#listen');
  await page.keyboard.press('Enter');
  await page.locator('#listen[aria-label="Stop"]').waitFor();
  const said = page.waitForFunction(() => /\w/.test(document.getElementById('announce').textContent)).then((found) => found.evaluate(() => document.getElementById('announce').textContent));
  await turns(page, 1);
  await page.keyboard.press('Space');
  await state(page, 'done');
  const focus = await page.evaluate(() => document.activeElement.id);
  say({ is: 'keyboard', tab, focus, said: await said, label: await page.locator('#listen').getAttribute('aria-label') });
}

/** Without a token one is asked for; a refusal is told in words, and nothing listens after it. */
async function refused(browser) {
  const page = await open(browser, { token: null });
  await page.locator('#way-live').click();
  await page.locator('#listen').click();
  const focus = await page.evaluate(() => document.activeElement.id);
  await page.locator('#token').fill(TOKENS.expired);
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.locator('.said.bad').waitFor({ state: 'attached' });
  await page.locator('#listen').click();
  await page.locator('#live-failure:not([hidden])').waitFor();
  const failure = await page.locator('#live-failure').innerText();
  await check(page, 'refused');
  say({ is: 'refused', focus, failure, state: await page.locator('#live-state').innerText(), label: await page.locator('#listen').getAttribute('aria-label') });
}

/** Narrow and dark; a session can be cancelled. */
async function narrow(browser) {
  const page = await open(browser, { width: 360, height: 740, colorScheme: 'dark' });
  await page.locator('#way-live').click();
  await page.locator('#listen').click();
  await turns(page, 1);
  await check(page, 'narrow');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.locator('#live-cancel').click();
  await state(page, 'cancelled');
  say({ is: 'narrow', wide, rows: await page.locator('#live-transcript li').count(), copy: await page.locator('#live-copy').isVisible() });
}
