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

test("the module is at most 10 kB, compressed", () => {
  const size = zlib.gzipSync(text("voxgate.js"), { level: 9 }).length;
  assert.ok(size <= 10_000, `${size} bytes`);
});

test("the types name each value of the module, and no other", () => {
  const named = text("voxgate.d.ts").matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm);
  assert.deepEqual([...named].map(([, name]) => name).sort(), Object.keys(voxgate).sort());
});

test("the module imports nothing, and needs nothing from elsewhere", () => {
  assert.doesNotMatch(text("voxgate.js"), /^\s*import |\bimport\(|\brequire\(|https?:/m);
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
  assert.deepEqual(files.map(({ path }) => path).sort(), ["LICENSE", "README.md", "package.json", "voxgate.d.ts", "voxgate.js"]);
  assert.equal(version, /^version = "(.*)"$/m.exec(text("../Cargo.toml"))[1], "one version for all");
});
