/** The signals that can wait until the core has sent the page view, and what an answer asks for: a chunk of its own. */
import type { Core } from "../core.ts";
import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { watchClicks } from "./clicks.ts";
import { watchEngagement } from "./engaged.ts";
import { watchErrors } from "./errors.ts";
import { watchExit } from "./exit.ts";
import { watchForms } from "./forms.ts";
import { watchFrames } from "./frames.ts";
import { watchHover } from "./hover.ts";
import { hand, lend } from "./lent.ts";
import { watchRequests } from "./requests.ts";
import { watchScroll } from "./scroll.ts";
import { watchText } from "./text.ts";
import { watchTrail } from "./trail.ts";

export { perform } from "./actions.ts";

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
];

export function watch(core: Core): void {
  lend(core);
  for (const signal of SIGNALS) guard(signal)();
  core.hear(hand);
  listen(window, LATE, hand);
}
