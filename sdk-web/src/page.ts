import { client, source } from "./arrival.ts";
import { now } from "./clock.ts";
import { listen } from "./listen.ts";
import { tab } from "./memory.ts";
import { here } from "./state.ts";
import { track } from "./track.ts";

const QUICK_MS = 10_000;

let first = true;
let seen = "";

/** Records that a page is being looked at, and whether the visitor came straight back to it. */
export function page(): void {
  const { href, pathname } = location;
  const { title } = document;
  const referrer = first ? document.referrer : here.page.url;
  here.page = { url: href, referrer, title };
  track("page_viewed", { url: href, path: pathname, title, referrer, ...(first && { source: source(), client: client() }) });
  first = false;
  seen = href.split("#")[0]!;

  const [before, last, at] = tab.p || ["", "", 0];
  if (last === pathname) return;
  const ms = now() - at;
  if (before === pathname && ms < QUICK_MS) track("quick_back", { from: last, to: pathname, ms });
  tab.p = [last, pathname, now()];
}

/** Counts the pages of a single-page shop too. */
export function watchHistory(): void {
  const changed = (): void => {
    // After the router had its turn: the title belongs to the new page by then.
    setTimeout(() => location.href.split("#")[0] !== seen && page());
  };
  const { navigation } = window as unknown as { navigation?: EventTarget };
  if (navigation) return listen(navigation, "currententrychange", changed);
  listen(window, "popstate", changed);
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (this: History, ...args: Parameters<History["pushState"]>) {
      original.apply(this, args);
      changed();
    };
  }
}
