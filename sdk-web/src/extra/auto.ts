/** Finds the shop's own signs of buying: GA4's dataLayer and data-attributes. A chunk for tags with `data-auto`. */
import type { Core } from "../core.ts";
import { guard } from "../guard.ts";
import { watchLayer } from "./layer.ts";
import { watchMarks } from "./marks.ts";

export function start(core: Core): void {
  for (const watch of [watchLayer, watchMarks]) guard(watch)(core.track);
}
