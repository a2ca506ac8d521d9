import { client, source } from "./arrival.ts";
import { tell } from "./early.ts";
import { guard } from "./guard.ts";
import { listen } from "./listen.ts";
import { patch } from "./patch.ts";
import { here, part } from "./state.ts";
import { track } from "./track.ts";

let seen = "";

/** Records that a page is being looked at, and whether the visitor came straight back to it. */
export function page(): void {
  part(true);
  const { href, pathname } = location;
  const { title, referrer } = document;
  here.page = { url: href, referrer: here.page.url || referrer, title };
  track("page_viewed", { ...here.page, path: pathname, ...(!seen && { source: source(), client: client() }) });
  seen = href.split("#")[0]!;
  tell("page", pathname);
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
  for (const name of ["pushState", "replaceState"]) guard(patch)(history, name, changed);
}
