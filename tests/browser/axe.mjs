// What every page is held against: axe's rules, and a picture if SCREENSHOTS names a folder.

import axe from 'axe-core';

const { SCREENSHOTS } = process.env;

/** Makes a check of pages, whose pictures begin with `prefix`, and which says what it finds by `say`. */
export function checkOf(prefix, say) {
  return async (page, name) => {
    // What is in the page's own realm may be evaluated, whatever its policy.
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(', ')}`);
    say({ is: 'axe', name, violations: found });
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${prefix}-${name}.png` });
  };
}
