// Opens /docs in a real browser and does what a reader does: authorizes, and presses Execute on every operation as the page
// has filled it in. Run by tests/api/browser.rs.
//
// DOCS_URL, TOKEN, RECORDING and CHROMIUM say what to open; the result is a line of JSON for each press of the button.

import { launch } from './browser.mjs';

const { DOCS_URL, TOKEN, RECORDING, SCREENSHOTS } = process.env;

const browser = await launch();
let failed = 0;
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  // A machine that is busy with other tests is slow, which is not what this is about.
  page.setDefaultTimeout(180_000);
  page.on('pageerror', (error) => report({ error: String(error) }));
  await page.goto(DOCS_URL);
  await page.locator('.opblock').first().waitFor();
  await authorize(page);
  const blocks = page.locator('.opblock');
  for (let at = 0; at < (await blocks.count()); at++) await operation(blocks.nth(at));
  if (SCREENSHOTS) {
    await page.screenshot({ path: `${SCREENSHOTS}/docs-1280.png` });
    await page.setViewportSize({ width: 360, height: 800 });
    await page.screenshot({ path: `${SCREENSHOTS}/docs-360.png` });
  }
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

function report(result) {
  if (!(result.status >= 200 && result.status < 300)) failed++;
  console.log(JSON.stringify(result));
}

async function authorize(page) {
  await page.locator('button.authorize').first().click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').first().fill(TOKEN);
  await dialog.locator('button.authorize').click();
  await dialog.locator('button.btn-done').click();
}

async function operation(block) {
  const method = (await block.locator('.opblock-summary-method').innerText()).trim();
  const path = (await block.locator('.opblock-summary-path').getAttribute('data-path')) ?? '';
  // What has an id in its path needs one that exists.
  if (path.includes('{')) return;
  await block.locator('.opblock-summary-control').click();
  await block.locator('.execute').waitFor();
  const types = block.locator('.body-param-content-type select, .opblock-section-request-body .content-type');
  if ((await types.count()) === 0) return report({ method, path, ...(await execute(block)) });
  for (const type of await options(types.first())) {
    await types.first().selectOption(type);
    const examples = block.locator('.opblock-section-request-body select.examples-select-element');
    const names = (await examples.count()) ? await options(examples.first()) : [null];
    for (const name of names) {
      if (name !== null) await examples.first().selectOption(name);
      const files = block.locator('.opblock-section-request-body input[type=file]');
      for (let at = 0; at < (await files.count()); at++) await files.nth(at).setInputFiles(RECORDING);
      report({ method, path, type, example: name, ...(await execute(block)) });
    }
  }
}

async function options(select) {
  const all = await select.locator('option').evaluateAll((list) => list.map((option) => option.value));
  // The page's own word for text that was edited.
  return all.filter((value) => !value.startsWith('__'));
}

/** Presses the button; what was answered, and what was sent where that was no success. */
async function execute(block) {
  const clear = block.locator('.btn-clear');
  if (await clear.count()) await clear.first().click();
  await block.locator('.execute').click();
  const table = block.locator('.live-responses-table');
  await table.waitFor({ timeout: 60_000 }).catch(() => {});
  if (!(await table.count())) return { status: 0, said: 'the page sent nothing: it finds an option missing or wrong' };
  const status = Number((await table.locator('.response-col_status').nth(1).innerText()).match(/\d+/)?.[0] ?? 0);
  if (status >= 200 && status < 300) return { status };
  const said = (await table.locator('.response-col_description').nth(1).innerText()).slice(0, 400);
  const sent = await block.locator('.curl-command').innerText().catch(() => '');
  return { status, said, sent: sent.replaceAll(TOKEN, '…').slice(0, 1500) };
}
