// The package: how large the module is, whether its types name what it has, and what `npm pack` puts into it. Run by
// tests/api/client_module.rs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { test } from "node:test";
import zlib from "node:zlib";

import * as voxgate from "../voxgate.js";

const folder = new URL("../", import.meta.url);
const text = (name) => fs.readFileSync(new URL(name, folder), "utf8");

/** The files that the module loads when a page opens a live session. */
const parts = fs.readdirSync(new URL("voxgate/", folder)).map((name) => `voxgate/${name}`);
const compressed = (name) => zlib.gzipSync(text(name), { level: 9 }).length;

test("the module is at most 10.5 kB, compressed, and its parts for live sessions are at most 18 kB", () => {
  assert.ok(compressed("voxgate.js") <= 10_500, `${compressed("voxgate.js")} bytes`);
  const size = parts.reduce((sum, name) => sum + compressed(name), 0);
  assert.ok(parts.length > 5 && size <= 18_000, `${size} bytes`);
});

test("the types name each value of the module, and no other", () => {
  const named = text("voxgate.d.ts").matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm);
  assert.deepEqual([...named].map(([, name]) => name).sort(), Object.keys(voxgate).sort());
});

test("the module imports only its own parts, and nothing from elsewhere", () => {
  const imports = (name) => [...text(name).matchAll(/^\s*import .* from "(.*)"|\bimport\("(.*)"\)/gm)].map(([, fixed, lazy]) => fixed ?? lazy);
  assert.deepEqual(imports("voxgate.js"), ["./voxgate/live.js"]);
  for (const name of parts) assert.ok(imports(name).every((from) => parts.includes(from.replace("./", "voxgate/"))), name);
  for (const name of ["voxgate.js", ...parts]) assert.doesNotMatch(text(name), /\brequire\(|https?:/, name);
});

test("the package has the module, its types, its page and its licence", (t) => {
  let packed;
  try {
    packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--loglevel=error"], { cwd: folder, encoding: "utf8" });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return t.skip("npm is missing");
  }
  // Scripts write before it.
  const [{ name, version, files }] = JSON.parse(packed.slice(packed.indexOf("[\n")));
  assert.equal(name, "@voxgate/client");
  assert.deepEqual(files.map(({ path }) => path).sort(), ["LICENSE", "README.md", "package.json", "voxgate.d.ts", "voxgate.js", ...parts].sort());
  assert.equal(version, /^version = "(.*)"$/m.exec(text("../Cargo.toml"))[1], "one version for all");
});
