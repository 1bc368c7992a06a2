// The browser of these tests. CHROMIUM is its program.

import { chromium } from 'playwright-core';

/** Starts it, with these arguments besides its own. */
export const launch = (...args) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM,
    // Root, as in a container, has no sandbox of the browser's own. What is opened is our own page on this machine.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--no-proxy-server', ...args],
  });

/** Gives pages a microphone that beeps, without asking. */
export const MICROPHONE = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
