import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { afterBurst } from "./burst.ts";
import { core, on, record, track } from "./lent.ts";

/** Scrolling comes in bursts; the depth is taken once the burst is over. */
const SETTLE_MS = 250;
/** Pictures arrive late and make a page longer. */
const GROWING_MS = 3_000;
const STEP = 0.25;
/** Two looks at a section that differ by less are one. */
const NOTABLE = 0.05;
const SECTIONS = 50;

let deepest = 0;
let told = 0;
let sections: Record<string, { depth: number; told: number }> = {};

/** How deep the page was seen, and each of its sections: told at every quarter of the page, and at its end. */
export function watchScroll(): void {
  listen(document, "scroll", afterBurst(SETTLE_MS, guard(measure)));
  on("page", () => {
    deepest = told = 0;
    sections = {};
    setTimeout(measure, GROWING_MS);
  });
  core.partings.push(() => {
    if (deepest - told >= NOTABLE) {
      record("scrolled", { depth: (told = deepest) });
    }
    for (const [section, seen] of Object.entries(sections))
      if (seen.depth - seen.told >= NOTABLE) record("scrolled", { depth: (seen.told = seen.depth), section });
  });
}

const share = (part: number, whole: number): number => Math.round(Math.min(1, Math.max(0, part / (whole || 1))) * 100) / 100;

function measure(): void {
  const { scrollHeight, clientHeight } = document.documentElement;
  const depth = share(scrollY + innerHeight, scrollHeight);
  deepest = Math.max(deepest, depth);
  // A page that fits was not scrolled.
  if (scrollHeight <= clientHeight) deepest = told = depth;
  else if (Math.floor(deepest / STEP) > Math.floor(told / STEP)) track("scrolled", { depth: (told = deepest) });
  if (document.hidden) return;
  // Not all of them are taken out of the list: each that is would stay in memory for its page's sake.
  const marks = Array.prototype.slice.call(document.querySelectorAll("[data-section],h1[id],h2[id],h3[id]"), 0, SECTIONS) as Element[];
  for (const [index, mark] of marks.entries()) {
    const name = mark.getAttribute("data-section");
    const { top, bottom } = mark.getBoundingClientRect();
    // What a heading is over ends where the next one begins.
    const end = name ? bottom : (marks.slice(index + 1).find(({ id }) => id)?.getBoundingClientRect().top ?? scrollHeight - scrollY);
    const seen = (sections[name || mark.id] ||= { depth: 0, told: 0 });
    if (end > 0 || top < 0) seen.depth = Math.max(seen.depth, share(innerHeight - top, end - top));
  }
}
