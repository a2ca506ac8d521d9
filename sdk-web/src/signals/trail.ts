import type { Called } from "../early.ts";
import { recall, remember } from "../storage.ts";
import { core, on, track } from "./lent.ts";

const QUICK_MS = 10_000;

/** The last two paths, as far as there were any, and when the later one was reached. */
type Trail = [before: string | undefined, last: string | undefined, at: number];

let trail = [] as unknown as Trail;

/** A page, another, and straight back: the second was not what they looked for. */
export function watchTrail(): void {
  on("page", ({ self: to, timeStamp }: Called) => {
    // Asked anew each time: a page that comes back has not seen the one in between. Nor has its sessionStorage, in Firefox.
    const [before, last, at] = recall<Trail>("localStorage", "trail", trail);
    if (last === to) return;
    // Of pages seen before this chunk was here, when they were seen counts.
    const reached = performance.timeOrigin + timeStamp;
    if (before === to && reached - at < QUICK_MS) track("quick_back", { from: last, to, ms: Math.round(reached - at) });
    trail = [last, to, reached];
    // They may have said no in another tab, of which this one has not heard.
    if (recall<{ c?: boolean }>("localStorage", "", trail as {}).c !== false && core.consent()) remember("localStorage", "trail", trail);
  });
  if ("navigation" in window) return;
  // Browsers that do not say where a navigation leads: a link or a form does. A click on neither throws, and ends here.
  on("click submit", (event) => {
    const { href, action } = (event.type === "submit" ? event.target : (event.target as Element).closest("a[href]")) as HTMLAnchorElement &
      HTMLFormElement;
    // By then the page has had its say, and a place further down on it is reached.
    setTimeout(() => event.defaultPrevented || (/#/.test(href) && href === location.href) || core.head(href || action));
  });
}
