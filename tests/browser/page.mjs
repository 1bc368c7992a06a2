// Opens the README's page in a real browser, at the address that the README gives it, and sends it a file and the microphone
// (a made-up one that beeps). Run by tests/api/browser.rs.
//
// ORIGIN is where it is served, TOKEN and RECORDING what goes into it, TRANSCRIPT what comes out, CHROMIUM the browser. Each
// transcript is a line of JSON.

import { MICROPHONE, launch } from './browser.mjs';

const { ORIGIN, TOKEN, RECORDING, TRANSCRIPT, SCREENSHOTS } = process.env;

const browser = await launch(...MICROPHONE);
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 640 } });
  page.setDefaultTimeout(180_000);
  page.on('pageerror', (error) => console.log(JSON.stringify({ error: String(error) })));
  await page.goto(ORIGIN);
  const said = async (way, wanted) => {
    const isShown = (wanted) => document.getElementById('text').textContent.includes(wanted);
    await page.waitForFunction(isShown, wanted, { timeout: 180_000 });
    console.log(JSON.stringify({ way, text: await page.locator('#text').innerText() }));
  };
  await page.locator('#token').fill('of nobody');
  await page.locator('#file').setInputFiles(RECORDING);
  await said('refused', 'token');
  await page.locator('#token').fill(TOKEN);
  await page.locator('#file').setInputFiles([]);
  await page.evaluate(() => (document.getElementById('text').textContent = ''));
  await page.locator('#file').setInputFiles(RECORDING);
  await said('file', TRANSCRIPT);
  await page.evaluate(() => (document.getElementById('text').textContent = ''));
  await page.locator('#record').click();
  await page.locator('#record', { hasText: 'Stop' }).waitFor();
  // As long as it takes the recorder to have something.
  await page.waitForTimeout(1000);
  await page.locator('#record').click();
  await said('microphone', TRANSCRIPT);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  console.log(JSON.stringify({ way: 'narrow', text: wide ? 'the page is wider than the screen' : 'it fits' }));
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/readme-360.png` });
} finally {
  await browser.close();
}
