/** The signals that can wait until the core has sent the page view, and what an answer asks for: a chunk of its own. */
import type { Core } from "../core.ts";
import { debugged } from "../extra/tab.ts";
import { guard } from "../guard.ts";
import { watchClicks } from "./clicks.ts";
import { watchEngagement } from "./engaged.ts";
import { watchErrors } from "./errors.ts";
import { watchExit } from "./exit.ts";
import { watchForms } from "./forms.ts";
import { watchFrames } from "./frames.ts";
import { watchHover } from "./hover.ts";
import { core, hand, lend, on } from "./lent.ts";
import { watchRequests } from "./requests.ts";
import { watchScroll } from "./scroll.ts";
import { watchText } from "./text.ts";
import { watchTrail } from "./trail.ts";

export { answered } from "./actions.ts";

/** An action is drawn at once when it comes: what draws it is here by then. */
const preload = (): unknown => (window.requestIdleCallback || setTimeout)(() => core.load("render").catch(() => {}));

/** What makes no signal of its own in the moments before this chunk is here. */
const LATE = "mouseover mouseout selectionchange";

const SIGNALS = [
  watchClicks,
  watchErrors,
  watchExit,
  watchForms,
  watchFrames,
  watchHover,
  watchRequests,
  watchScroll,
  watchEngagement,
  watchText,
  watchTrail,
  preload,
  loadMore,
  offerPush,
];

export function watch(given: Core): void {
  lend(given);
  for (const signal of SIGNALS) guard(signal)();
  core.hear(hand);
  for (const type of LATE.split(" ")) addEventListener(type, hand, true);
}

/** What only some pages need. */
function loadMore(): void {
  const { auto } = (window.whyleft || {}) as { auto?: boolean };
  const run = (name: "auto" | "debug", then: (chunk: any) => void): void => void core.load(name).then(then).catch(() => {});
  if (auto || document.querySelector("script[data-key][data-auto]")) run("auto", ({ start }) => start(core));
  if (!debugged()) return;
  const past: unknown[] = [];
  on("event", (event) => void past.push(event));
  run("debug", ({ open }) => open(core, on, past));
}

/** window.whyleft.push(options) for the shop's own button: browsers only ask for a permission after a click. */
function offerPush(): void {
  (window.whyleft as { push?: unknown }).push = (options: object) =>
    core.load("push").then(({ subscribe }) => subscribe(core, options)).catch(() => "unsupported");
}
