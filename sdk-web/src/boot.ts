import { publish } from "./api.ts";
import { collector, key, load } from "./config.ts";
import type { Core, Signals } from "./core.ts";
import { hear, watchEarly } from "./early.ts";
import { guard } from "./guard.ts";
import { head, watchLifecycle } from "./lifecycle.ts";
import { listeners } from "./listeners.ts";
import { agreed, arrive, consent, identity } from "./memory.ts";
import { page, watchHistory } from "./page.ts";
import { here, partings, unseen } from "./state.ts";
import { record, track } from "./track.ts";
import { answers, restore } from "./transport.ts";
import { warn } from "./warn.ts";

const BEGINNINGS = [watchLifecycle, watchHistory, watchEarly, page];
/** By then the page before has heard from the server, if it ever will, and has nothing left to take over. */
const RESTORE_MS = 1_000;

let watching: true | undefined;

/** Nothing is watched, and nothing of the page's is touched, before it may be. Whatever fails, the API still works. */
const start = guard(() => {
  if (consent() === false || unseen(start)) return;
  if (!watching) {
    watching = true;
    for (const begin of BEGINNINGS) guard(begin)();
    const chunk: Promise<Signals> = load("signals");
    const core: Core = { track, record, agreed, consent, identity, listeners, partings, hear, head, here, load, collector, answers };
    chunk.then(guard(({ watch }) => watch(core)), () => hear(() => {}));
    answers.hear = (answer) => chunk.then(({ answered }) => answered(answer), () => {});
  }
  setTimeout(guard(restore), RESTORE_MS);
});

/** Starts the SDK in this page, once. */
export function boot(): void {
  const calls = window.whyleft?.q;
  if (!key) return warn("no write key: set data-key");
  // A second copy of the snippet stays out of the way of the first.
  if (calls && !Array.isArray(calls)) return;
  // In a frame of a page that has the SDK, or waits for it, that one speaks for both. Throws in another origin's page.
  const outer = guard(() => parent.whyleft)();
  if (parent !== window && outer?.q) {
    calls?.forEach((call) => outer.q.push(call));
    window.whyleft = outer;
    return;
  }
  arrive();
  start();
  publish(start);
}
