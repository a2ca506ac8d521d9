import type { Called } from "../early.ts";
import { recall, remember } from "../storage.ts";
import { core, on, track } from "./lent.ts";

const QUICK_MS = 10_000;

/** The last two paths, and when the later one was reached. */
type Trail = [before: string, last: string, at: number];

let trail: Trail = ["", "", 0];

/** A page, another, and straight back: the second was not what they looked for. */
export function watchTrail(): void {
  on("page", ({ self: to, timeStamp }: Called) => {
    // Asked anew each time: a page that comes back has not seen the one in between. Nor has its sessionStorage, in Firefox.
    const [before, last, at] = recall<Trail>("localStorage", "trail", trail);
    if (last === to) return;
    // Of pages seen before this chunk was here, when they were seen counts.
    const reached = performance.timeOrigin + timeStamp;
    const ms = Math.round(reached - at);
    if (before === to && ms < QUICK_MS) track("quick_back", { from: last, to, ms });
    trail = [last, to, reached];
    if (core.consent()) remember("localStorage", "trail", trail);
  });
  if ("navigation" in window) return;
  // Browsers that do not say where a navigation leads: a link or a form does.
  on("click submit", ({ target, type }) => {
    const element = (type === "submit" ? target : (target as Element).closest?.("a[href]")) as HTMLAnchorElement & HTMLFormElement;
    if (element) core.head(element.href || element.action);
  });
}
