/** The signals that can wait until the core has sent the page view: a chunk of its own. */
import { guard } from "../guard.ts";
import { watchClicks } from "./clicks.ts";
import { watchErrors } from "./errors.ts";
import { watchExit } from "./exit.ts";
import { watchForms } from "./forms.ts";
import { watchHover } from "./hover.ts";
import { lend, type Track } from "./report.ts";

export function watch(track: Track): void {
  lend(track);
  for (const signal of [watchClicks, watchErrors, watchExit, watchForms, watchHover]) guard(signal)();
}
