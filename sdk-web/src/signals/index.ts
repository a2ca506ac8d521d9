/** The signals that can wait until the core has sent the page view, and what an answer asks for: a chunk of its own. */
import type { Core } from "../core.ts";
import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { watchClicks } from "./clicks.ts";
import { watchErrors } from "./errors.ts";
import { watchExit } from "./exit.ts";
import { watchForms } from "./forms.ts";
import { watchHover } from "./hover.ts";
import { hand, lend } from "./lent.ts";
import { watchRequests } from "./requests.ts";
import { watchTrail } from "./trail.ts";

export { perform } from "./actions.ts";

/** What makes no signal of its own in the moments before this chunk is here. */
const LATE = "scroll mouseover mouseout selectionchange";

export function watch(core: Core): void {
  lend(core);
  for (const signal of [watchClicks, watchErrors, watchExit, watchForms, watchHover, watchRequests, watchTrail]) guard(signal)();
  core.hear(hand);
  listen(window, LATE, hand);
}
