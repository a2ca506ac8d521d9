// Runs the unit tests: the pure modules, bundled as they ship, under node's own test runner.
import { spawnSync } from "node:child_process";
import { build } from "esbuild";

await build({
  entryPoints: [new URL("uuid.test.ts", import.meta.url).pathname],
  outfile: new URL("../dist/.test/uuid.test.mjs", import.meta.url).pathname,
  bundle: true,
  platform: "node",
  format: "esm",
  logLevel: "error",
});
const { status } = spawnSync(process.execPath, ["--test", new URL("../dist/.test/", import.meta.url).pathname + "uuid.test.mjs"], {
  stdio: "inherit",
});
process.exit(status ?? 1);
