import { now } from "./clock.ts";
import { listen } from "./listen.ts";
import { arrive, depart, share } from "./memory.ts";
import { page } from "./page.ts";
import { here } from "./state.ts";
import { track } from "./track.ts";
import { restore, sendAll } from "./transport.ts";

/** How long a navigation may take to leave this page. */
const DEPARTURE_MS = 10_000;

let hiddenAt = 0;
let heading = "";
let headedAt = 0;

/** Follows a page out of sight, away, and back: nothing that was seen may be lost on any of these ways. */
export function watchLifecycle(): void {
  const { navigation } = window as unknown as { navigation?: EventTarget };
  listen(navigation, "navigate", (event: Event & { destination: { url: string } }) => head(event.destination.url));
  listen(navigation, "currententrychange", () => head(""));
  // Browsers without the Navigation API: a link or a form says where it leads.
  listen(document, "click submit", ({ target, type }) => {
    const element = (type === "submit" ? target : (target as Element).closest?.("a[href]")) as HTMLAnchorElement & HTMLFormElement;
    if (!navigation && element) head(element.href || element.action);
  });

  listen(document, "visibilitychange", () => {
    if (here.leaving) return;
    if (document.hidden) {
      hiddenAt = now();
      track("tab_hidden");
      sendAll();
    } else {
      track("tab_returned", { away_ms: now() - hiddenAt });
      restore();
    }
  });

  listen(window, "pagehide", () => {
    const inside = now() - headedAt < DEPARTURE_MS && heading.startsWith(location.origin + "/");
    if (!share(false) && !inside) track("session_ended", { reason: heading ? "navigated" : "closed" });
    here.leaving = true;
    sendAll();
    depart();
  });

  listen(window, "pageshow", (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    here.leaving = false;
    arrive();
    restore();
    page();
  });
}

function head(url: string): void {
  heading = url;
  headedAt = now();
}
