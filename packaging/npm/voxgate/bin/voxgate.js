#!/usr/bin/env node
// Runs the gateway's binary, which comes in a package for this platform, and passes on its signals and its exit status.
"use strict";

const { spawn } = require("node:child_process");
const os = require("node:os");
const process = require("node:process");

// All are passed on. What a terminal sends also reaches the binary by itself, as it is in the same process group, but nobody can
// tell here where a signal came from. The binary takes two of a kind at once for one.
const SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];

function findBinary() {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return require.resolve(`@voxgate/${platform}/bin/voxgate`);
  } catch {
    console.error(
      `voxgate: the package @voxgate/${platform} is not installed. There are packages for linux-x64, linux-arm64 and\n` +
        "darwin-arm64, on Linux with glibc; npm leaves them out with --omit=optional.",
    );
    process.exit(1);
  }
}

const child = spawn(findBinary(), process.argv.slice(2), { stdio: "inherit" });
for (const signal of SIGNALS) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`voxgate: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  // The status that a shell gives for a process that a signal ended.
  process.exit(signal ? 128 + os.constants.signals[signal] : code);
});
