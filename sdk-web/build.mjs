// Builds dist/: the core, the renderer chunk, the types, and sizes.json with the SRI hash of each file.
// The build fails when a file is over its gzip budget: the size of a guest is part of its manners.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const FILES = [
  { name: "whyleft.js", entry: "src/index.ts", format: "iife", budget: 4400 },
  { name: "whyleft-signals.js", entry: "src/signals/index.ts", format: "esm", budget: 6100 },
  { name: "whyleft-render.js", entry: "src/render/index.ts", format: "esm", budget: 3000 },
  { name: "whyleft-auto.js", entry: "src/extra/auto.ts", format: "esm", budget: 2000 },
  { name: "whyleft-push.js", entry: "src/extra/push.ts", format: "esm", budget: 1000 },
  { name: "whyleft-worker.js", entry: "src/extra/worker.ts", format: "iife", budget: 1000 },
  { name: "whyleft-debug.js", entry: "src/extra/debug.ts", format: "esm", budget: 2500 },
  { name: "whyleft.mjs", entry: "src/npm.ts", format: "esm", budget: 500 },
  { name: "whyleft-core.mjs", entry: "src/npm-core.ts", format: "esm", budget: 4600 },
];

// What only our own files call each other by is one letter in all of them. Nothing of a page's, of an event's, of
// window.whyleft, and no name that a chunk exports.
const OURS = {
  agreed: "a",
  answers: "b",
  args: "c",
  catchUp: "d",
  collector: "e",
  head: "f",
  hear: "g",
  here: "h",
  identity: "i",
  leaving: "j",
  listeners: "k",
  load: "l",
  partings: "m",
  record: "n",
  result: "o",
  self: "p",
};

await rm(here("dist"), { recursive: true, force: true });
await mkdir(here("dist"), { recursive: true });

const css = {
  name: "css-as-text",
  setup({ onLoad }) {
    // The sheet travels as a string into a constructable stylesheet, so the page needs no style-src for it.
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { code } = await (await import("esbuild")).transform(source, { loader: "css", minify: true });
      // What stands in custom properties is left as it was written.
      return { contents: code.trim().replace(/([:,]) /g, "$1"), loader: "text" };
    });
  },
};

for (const { name, entry, format } of FILES) {
  const bundled = await build({
    entryPoints: [here(entry)],
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
    format,
    target: "es2021",
    charset: "utf8",
    legalComments: "none",
    mangleProps: new RegExp(`^(${Object.keys(OURS).join("|")})$`),
    mangleCache: OURS,
    external: ["./whyleft-*"],
    plugins: [css],
  });
  // A second look at what esbuild made is worth 200 bytes of the core.
  const { code } = await minify(bundled.outputFiles[0].text, {
    ecma: 2020,
    module: format === "esm",
    compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true },
  });
  // Whatever fails while loading stays inside: the page's own error handlers never hear of it. In there, a directive is none.
  await writeFile(here(`dist/${name}`), name === "whyleft.js" ? `try{${code.replace(/^"use strict";|;$/g, "")}}catch{}` : code);
}
await copyFile(here("src/public.d.ts"), here("dist/whyleft.d.ts"));

const sizes = {};
let over = false;
console.log("file                  minified   gzip -9    budget");
for (const { name, budget } of FILES) {
  const bytes = await readFile(here(`dist/${name}`));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const integrity = `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
  sizes[name] = { minified: bytes.length, gzip, budget, integrity };
  const cells = [bytes.length, gzip, budget].map((n) => `${n.toLocaleString("en")} B`.padStart(9));
  console.log(`${name.padEnd(19)} ${cells.join("  ")}${gzip > budget ? "  OVER BUDGET" : ""}`);
  over ||= gzip > budget;
}
await writeFile(here("dist/sizes.json"), `${JSON.stringify(sizes, null, 2)}\n`);
if (over) {
  console.error("A file is over its gzip budget: make it smaller, or move the new part into a chunk of its own.");
  process.exit(1);
}
