import { now } from "./clock.ts";
import { listen } from "./listen.ts";
import { arrive, depart, share } from "./memory.ts";
import { page } from "./page.ts";
import { here, part } from "./state.ts";
import { record, track } from "./track.ts";
import { hurry, restore, sendAll } from "./transport.ts";

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

  listen(document, "visibilitychange", () => {
    if (here.leaving) return;
    if (document.hidden) {
      hiddenAt = now();
      finish("tab_hidden");
    }
    // A page that was opened behind another is now seen for the first time: nobody returned.
    else if (hiddenAt) track("tab_returned", { away_ms: now() - hiddenAt });
  });

  listen(window, "pagehide", () => {
    here.leaving = true;
    const inside = now() - headedAt < DEPARTURE_MS && heading.startsWith(location.origin + "/");
    finish(!share() && !inside && "session_ended", { reason: heading ? "navigated" : "closed" });
    depart();
  });

  listen(window, "pageshow", (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    here.leaving = false;
    arrive();
    restore(event);
    page();
  });

  listen(window, "online", restore);
}

function finish(type: string | false, props?: object): void {
  part(here.leaving);
  if (type) record(type, props);
  sendAll();
}

/** The visitor is on the way to this address. */
export function head(url: string): void {
  heading = url;
  headedAt = now();
  hurry();
}
