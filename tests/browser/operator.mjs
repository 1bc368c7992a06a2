// Opens the operator's page in a real browser. Run by tests/api/browser/operator.rs.
//
// OPEN is a listener that asks for no token, CLOSED one that asks for TOKEN, CHROMIUM the browser. Each finding is a line of
// JSON.

import { readFile } from 'node:fs/promises';

import axe from 'axe-core';

import { launch } from './browser.mjs';

const { OPEN, CLOSED, TOKEN, SCREENSHOTS } = process.env;

const browser = await launch();
const say = (line) => console.log(JSON.stringify(line));
const requested = new Set();

async function open(url, width, colorScheme) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  page.setDefaultTimeout(180_000);
  page.on('pageerror', (error) => say({ is: 'error', error: String(error) }));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) say({ is: 'error', error: message.text() });
  });
  page.on('request', (request) => requested.add(new URL(request.url()).origin));
  await page.goto(url);
  return page;
}

const filled = (page) => page.locator('#requests tbody tr').first().waitFor();

async function look(page, name) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(', ')}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  say({ is: 'look', name, violations: found, wide });
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/operator-${name}.png`, fullPage: true });
}

try {
  for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [360, 'light'], [360, 'dark']]) {
    const page = await open(OPEN, width, scheme);
    await filled(page);
    await look(page, `${width}-${scheme}`);
    await page.close();
  }

  const page = await open(OPEN, 1280, 'light');
  await filled(page);
  const text = (id) => page.locator(`#${id}`).innerText();
  say({ is: 'text', status: await text('status'), gauges: await text('gauges'), providers: await text('providers'), totals: await text('totals'), callers: await text('callers'), models: await text('models'), requests: await text('requests') });
  const saved = page.waitForEvent('download');
  await page.locator('#download').click();
  const sheet = await saved;
  say({ is: 'sheet', name: sheet.suggestedFilename(), text: await readFile(await sheet.path(), 'utf8') });
  const month = page.waitForResponse((answer) => answer.url().includes('/operator/usage?') && !answer.url().endsWith(sheet.suggestedFilename().slice(14, 21)));
  await page.locator('#month').selectOption({ index: 1 });
  await month;
  await page.locator('#callers', { hasText: 'Nobody yet.' }).waitFor();
  say({ is: 'another month', callers: await text('callers') });
  await page.close();

  const closed = await open(CLOSED, 360, 'light');
  await closed.locator('#token-form').waitFor();
  await look(closed, 'token');
  await closed.locator('#token').fill('not the token of the operator');
  await closed.keyboard.press('Enter');
  await closed.locator('#token-said', { hasText: 'not the operator' }).waitFor();
  await closed.locator('#token').fill(TOKEN);
  await closed.keyboard.press('Enter');
  await filled(closed);
  say({ is: 'opened', kept: await closed.evaluate(() => [Object.keys(sessionStorage), localStorage.length]) });
  say({ is: 'origins', elsewhere: [...requested].filter((origin) => ![OPEN, CLOSED].some((own) => new URL(own).origin === origin)) });
} finally {
  await browser.close();
}
