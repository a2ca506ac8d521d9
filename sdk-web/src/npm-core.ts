/** The core as the npm package loads it: configured by arguments instead of a script tag. */
import { boot } from "./boot.ts";
import { configure, type Load } from "./config.ts";
import type { Options } from "./public.d.ts";

// Written out, so that bundlers find them.
const CHUNKS: Record<Parameters<Load>[0], () => Promise<unknown>> = {
  signals: () => import("./whyleft-signals.js" as string),
  render: () => import("./whyleft-render.js" as string),
  auto: () => import("./whyleft-auto.js" as string),
  debug: () => import("./whyleft-debug.js" as string),
  push: () => import("./whyleft-push.js" as string),
};

export function run({ key, endpoint, consent, respectDnt = true, auto = false }: Options): void {
  const early = (window.whyleft ||= { q: [] } as never) as { auto?: boolean };
  early.auto ||= auto;
  configure(key, endpoint, (name) => CHUNKS[name](), !!consent, !respectDnt);
  boot();
}
