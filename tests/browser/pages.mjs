// Reads the documentation in a real browser, and searches it. Run by tests/api/browser/pages.rs.
//
// GATEWAY is where it is served, CHROMIUM the browser. Each finding is a line of JSON.

import axe from 'axe-core';

import { launch } from './browser.mjs';

const { GATEWAY, SCREENSHOTS } = process.env;

const browser = await launch();
const say = (line) => console.log(JSON.stringify(line));
const requested = new Set();

/** The kinds of pages: an index, code and much else, tables, pictures, a list of files. */
const PAGES = ['contents', 'readme', 'limits', 'console', 'files/deploy/grafana'];

async function open(name, width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: GATEWAY });
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  page.on('pageerror', (error) => say({ is: 'error', error: String(error) }));
  page.on('console', (message) => {
    if (message.type() === 'error') say({ is: 'error', error: message.text() });
  });
  page.on('request', (request) => requested.add(new URL(request.url()).origin));
  await page.goto(`${GATEWAY}/docs/${name}`);
  await page.locator('#docs-search').waitFor();
  return page;
}

async function look(page, name) {
  // What is wide gets the keyboard's focus once the browser has measured it.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(', ').slice(0, 600)}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  say({ is: 'look', name, violations: found, wide });
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/pages-${name.replaceAll('/', '-')}.png` });
}

async function search(page, words) {
  await page.keyboard.press('/');
  await page.keyboard.type(words);
  await page.locator('#docs-results li').first().waitFor();
}

const focused = (page) => page.evaluate(() => document.activeElement.getAttribute('href') ?? document.activeElement.id);

try {
  for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [360, 'light'], [360, 'dark']]) {
    for (const name of PAGES) {
      const page = await open(name, width, scheme);
      await look(page, `${name}-${width}-${scheme}`);
      await page.context().close();
    }
    const page = await open('limits', width, scheme);
    await search(page, 'monthly budget');
    await look(page, `search-${width}-${scheme}`);
    await page.context().close();
  }

  const page = await open('contents', 1280, 'light');
  await search(page, 'rate limit');
  await page.locator('#docs-found', { hasText: 'result' }).waitFor();
  const results = await page.locator('#docs-results a').evaluateAll((all) => all.map((one) => ({ to: one.getAttribute('href'), text: one.innerText, marks: [...one.querySelectorAll('mark')].map((mark) => mark.textContent) })));
  say({ is: 'results', said: await page.locator('#docs-found').innerText(), results });
  await page.keyboard.press('ArrowDown');
  const first = await focused(page);
  await page.keyboard.press('ArrowDown');
  const second = await focused(page);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  const back = await focused(page);
  await page.keyboard.press('Escape');
  say({ is: 'keys', first, second, back, closed: await page.locator('#docs-results').isHidden(), focus: await focused(page) });
  await page.locator('#docs-query').fill('<img src=x onerror=alert(1)>');
  await page.locator('#docs-results .nothing').waitFor();
  say({ is: 'nothing', text: await page.locator('#docs-results').innerText() });
  await page.locator('#docs-query').fill('max_queue');
  await page.locator('#docs-results a').first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => !url.pathname.endsWith('/contents'));
  say({ is: 'opened', url: page.url(), text: await page.locator('article').innerText() });

  await page.goto(`${GATEWAY}/docs/settings`);
  const block = page.locator('.code').first();
  await block.hover();
  await block.getByRole('button', { name: 'Copy' }).click();
  await block.getByRole('button', { name: 'Copied' }).waitFor();
  say({ is: 'copied', text: await page.evaluate(() => navigator.clipboard.readText()), block: await block.locator('pre').textContent() });
  const anchor = page.locator('article h2 a').first();
  await anchor.click();
  say({ is: 'anchor', hash: new URL(page.url()).hash, top: await page.locator('article h2').first().evaluate((heading) => heading.getBoundingClientRect().top < innerHeight) });
  const side = await page.locator('.side a[aria-current]').innerText();
  say({ is: 'side', current: side, isOpen: await page.locator('.side details > div').isVisible() });
  await page.context().close();

  const narrow = await open('limits', 360, 'light');
  const isClosed = await narrow.locator('.side details > div').isHidden();
  await narrow.locator('.side summary').click();
  say({ is: 'narrow', isClosed, isOpen: await narrow.locator('.side details > div').isVisible() });
  await look(narrow, 'side-360-light');
  const scrolls = await narrow.locator('.scroll').first().evaluate((table) => table.scrollWidth > table.clientWidth && table.tabIndex === 0);
  say({ is: 'table', scrolls });
  await narrow.context().close();
  say({ is: 'origins', elsewhere: [...requested].filter((origin) => origin !== GATEWAY) });
} finally {
  await browser.close();
}
