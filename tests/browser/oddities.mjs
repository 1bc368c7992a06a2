// Scenes of console.mjs in which something odd happens: refusals that must not be repeated, answers and names of every kind,
// files that are gone, and tokens of somebody else.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** An error that a scene makes in the page. */
export const MADE_UP = 'made up';

const refused = (status, code, headers) => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ error: { message: 'No.', type: 'server_error', code, param: code } }),
});

/** The scenes by their names. */
export function oddities({ url, tokens, open, check, say, until, choose, recording }) {
  return { repeats, speakers, letters, broken, names, offered, unreadable, removed };

  function chooseFiles(page, ...names) {
    return page.locator('#files').setInputFiles(names.map(recording));
  }

  /** Answers each recording of a page in place of the gateway, and counts them. */
  async function answering(page, answer) {
    const count = { requests: 0 };
    await page.route('**/v1/audio/**', (route) => {
      count.requests++;
      return route.fulfill({ headers: { 'content-type': 'application/json' }, ...answer(count.requests) });
    });
    return count;
  }

  /** The page repeats a refusal a few times, and none that says that it cost something. A code may be any word. */
  async function repeats() {
    for (const [name, answer] of Object.entries({
      charged: refused(429, 'rate_limit_exceeded', { 'retry-after': '0', 'x-should-retry': 'false' }),
      limited: refused(503, 'overloaded', { 'retry-after': '0' }),
      proto: refused(400, '__proto__', {}),
      constructor_: refused(500, 'constructor', {}),
    })) {
      const page = await open();
      const count = await answering(page, () => answer);
      await chooseFiles(page, 'sample.wav');
      await until(page, 'failed');
      say({ is: `repeats ${name}`, failure: await page.locator('#failure').innerText(), ...count });
      await page.context().close();
    }
  }

  /** The rows of a stream with speakers are added, not made anew; what is no segment is left out. */
  async function speakers() {
    const page = await open();
    await choose(page, 'model', 'gpt-4o-transcribe-diarize');
    await choose(page, 'format', 'diarized_json');
    const segments = Array.from({ length: 1600 }, (_, at) => ({ type: 'transcript.text.segment', start: at, end: at + 1, text: `Words ${at}.`, speaker: 'A' }));
    const events = [{ type: 'transcript.text.segment' }, ...segments, { type: 'transcript.text.done', text: 'Words.' }];
    const body = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
    await answering(page, () => ({ headers: { 'content-type': 'text/event-stream' }, body }));
    await page.evaluate(() => {
      const { createElement } = document;
      globalThis.made = 0;
      document.createElement = function (tag) {
        if (tag === 'li') globalThis.made++;
        return createElement.call(this, tag);
      };
    });
    await chooseFiles(page, 'sample.wav');
    await until(page, 'done');
    say({ is: 'speakers', rows: await page.locator('#transcript li').count(), made: await page.evaluate(() => globalThis.made) });
    await page.context().close();
  }

  /** Words are found in their text whatever letters it has, and times that are no times do no harm. */
  async function letters() {
    const page = await open();
    await choose(page, 'model', 'whisper-1');
    await choose(page, 'format', 'verbose_json');
    const segments = [{ start: 0, end: 1e300, text: 'İİİ Ili GRÖSSER' }, { start: 1, end: 2, text: 'Und Ruhe' }, null, { start: 'x' }];
    const words = [{ word: 'İİİ', start: 0, end: 0.2 }, { word: 'GRÖSSER', start: 0.5, end: 0.9 }, { word: 'ruhe', start: 1.5, end: 2 }, null];
    await answering(page, () => ({ body: JSON.stringify({ text: 'İİİ Ili GRÖSSER Und Ruhe', segments, words }) }));
    await chooseFiles(page, 'sample.wav');
    await until(page, 'done');
    await page.locator('#as').selectOption('srt');
    say({ is: 'letters', words: await page.locator('#transcript .word').allInnerTexts(), srt: await page.locator('#copy').isEnabled() });
    await page.context().close();
  }

  /** What cannot be shown ends neither the request nor the queue. */
  async function broken() {
    const page = await open();
    await choose(page, 'model', 'gpt-4o-transcribe');
    await page.evaluate((words) => {
      document.getElementById('facts').replaceChildren = () => {
        throw new Error(words);
      };
    }, MADE_UP);
    await chooseFiles(page, 'sample.wav', 'vbr.mp3');
    await page.waitForFunction(() => document.querySelectorAll('#queue .done').length === 2);
    say({ is: 'broken', done: await page.locator('#queue .done').count() });
    await page.context().close();
  }

  /** A name that a terminal would not take as it looks is not in the code. */
  async function names() {
    const page = await open();
    await answering(page, () => ({ body: '{"text":"x"}' }));
    const lines = [];
    for (const name of ['a\u001b[201~\nid\n.wav', 'a\u0003.wav', 'e\u202egpj.wav', '-', '-o.mp3', ' lead.wav', 'trail.wav ', 'plain name.wav', "it's; $(id) \\ \".wav"]) {
      await page.evaluate((name) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(100)], name, { type: 'audio/wav' }));
        document.getElementById('files').files = data.files;
        document.getElementById('files').dispatchEvent(new Event('change'));
      }, name);
      await page.waitForFunction((count) => document.querySelectorAll('#queue .done').length >= count || (count === 1 && document.querySelector('#state.done')), lines.length + 1);
      const code = await page.locator('#code').textContent();
      lines.push(code.split('\n').find((line) => line.includes('file=@')).replace(/ \\$/, '').trim());
    }
    say({ is: 'names', lines });
    await page.context().close();
  }

  /** An address with another caller's token asks before it replaces the token of the tab. */
  async function offered() {
    const page = await open();
    const now = async () => {
      const kept = await page.evaluate(() => sessionStorage.getItem('voxgate.token'));
      return Object.keys(tokens).find((name) => tokens[name] === kept) ?? null;
    };
    const steps = [await now()];
    const hand = (name) => page.evaluate((token) => (location.hash = `token=${token}`), tokens[name]);
    await hand('limited');
    await page.locator('#token-offer').waitFor();
    const question = await page.locator('#token-offered').innerText();
    await check(page, 'offer');
    steps.push(await now());
    await page.locator('#token-keep').click();
    steps.push(await now(), await page.locator('#token-panel').isVisible());
    // So it does when the page is opened anew.
    await page.goto('about:blank');
    await page.goto(`${url}/#token=${tokens.limited}`);
    await page.locator('#token-offer').waitFor();
    steps.push(await now(), page.url() === `${url}/`);
    await page.locator('#token-take').click();
    steps.push(await now(), await page.locator('#token-offer').isVisible());
    say({ is: 'offered', question, steps });
    await page.context().close();
  }

  /** A file that is gone is told as that, and the next one goes. */
  async function unreadable() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'console-'));
    const gone = path.join(folder, 'gone.wav');
    fs.copyFileSync(recording('sample.wav'), gone);
    const page = await open({ token: null });
    await page.locator('#files').setInputFiles([gone, recording('vbr.mp3')]);
    fs.rmSync(folder, { recursive: true });
    await page.locator('#token').fill(tokens.good);
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.waitForFunction(() => document.querySelector('#queue .failed'));
    say({ saw: 'the first word', all: true });
    await page.waitForFunction(() => document.querySelector('#queue .done'));
    await page.locator('#queue .failed button').first().click();
    say({ is: 'unreadable', failure: await page.locator('#failure').innerText() });
    await page.context().close();
  }

  /** A recording can be removed, and what the browser holds of it is given back. */
  async function removed() {
    const page = await open();
    await choose(page, 'model', 'gpt-4o-transcribe');
    await page.evaluate(() => {
      const { revokeObjectURL } = URL;
      globalThis.revoked = [];
      URL.revokeObjectURL = (url) => (globalThis.revoked.push(url), revokeObjectURL.call(URL, url));
    });
    await chooseFiles(page, 'sample.wav', 'vbr.mp3', 'opus.ogg');
    await page.waitForFunction(() => document.querySelectorAll('#queue .done').length === 3);
    await page.locator('#queue button', { hasText: 'vbr.mp3' }).click();
    const address = await page.locator('#keep').getAttribute('href');
    await page.getByRole('button', { name: 'Remove vbr.mp3' }).click();
    const names = await page.locator('#queue .name').allInnerTexts();
    const shown = await page.locator('#result-heading').innerText();
    const isRevoked = await page.evaluate((address) => globalThis.revoked.includes(address), address);
    say({ is: 'removed', names, shown, isRevoked, focus: await page.evaluate(() => document.activeElement.textContent) });
    await check(page, 'queue');
    await page.context().close();
  }
}
