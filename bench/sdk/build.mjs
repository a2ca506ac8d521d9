// Bundles each script that the SDK is measured beside, as a page would load it: node build.mjs UMAMI_SOURCE OUT
// Each gives the page window.peer = {start(origin), track(text)}.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const { build, transform } = createRequire(new URL("../../sdk-web/package.json", import.meta.url))("esbuild");
const [umami, out] = process.argv.slice(2);
const PEERS = {
  plausible: `import { init, track } from "@plausible-analytics/tracker";
    window.peer = {
      start: (origin) => init({ domain: "shop.example", endpoint: origin + "/plausible", captureOnLocalhost: true }),
      track: (text) => track("searched", { props: { text } }),
    };`,
  snowplow: `import { newTracker, trackPageView, trackSelfDescribingEvent } from "@snowplow/browser-tracker";
    window.peer = {
      start: (origin) => (newTracker("peer", origin, { appId: "shop" }), trackPageView()),
      track: (text) => trackSelfDescribingEvent({ event: { schema: "iglu:shop/searched/jsonschema/1-0-0", data: { text } } }),
    };`,
  sentry: `import { captureMessage, init } from "@sentry/browser";
    window.peer = {
      start: (origin) => init({ dsn: origin.replace("//", "//key@") + "/1" }),
      track: (text) => captureMessage(text.slice(0, 20), { extra: { text } }),
    };`,
  clarity: `import { clarity } from "clarity-js";
    window.peer = {
      start: (origin) => clarity.start({ projectId: "shop", upload: origin + "/clarity", track: true, content: true }),
      // Of an event only its name travels in the payload.
      track: (text) => clarity.event(text.slice(0, 8), text),
    };`,
  posthog: `import posthog from "posthog-js/dist/module.no-external.js";
    window.peer = {
      start: (origin) => posthog.init("phc_shop", { api_host: origin, opt_out_useragent_filter: true }),
      track: (text) => posthog.capture("searched", { text }),
    };`,
};

const sizes = {};
const keep = async (name, code) => {
  await writeFile(`${out}/${name}.js`, code);
  sizes[name] = gzipSync(code, { level: 9 }).length;
};
for (const [name, contents] of Object.entries(PEERS)) {
  const stdin = { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)) };
  const options = { bundle: true, minify: true, write: false, format: "iife", target: "es2021", legalComments: "none" };
  const { outputFiles } = await build({ stdin, ...options });
  await keep(name, outputFiles[0].text);
}
if (umami) await keep("umami", (await transform(await readFile(umami, "utf8"), { minify: true, legalComments: "none" })).code);
console.log(JSON.stringify(sizes));
