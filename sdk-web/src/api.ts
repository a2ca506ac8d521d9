import { listeners } from "./listeners.ts";
import { guard } from "./guard.ts";
import { choose, consent, identity } from "./memory.ts";
import { page } from "./page.ts";
import type { Consent, Identity, Whyleft } from "./public.d.ts";
import { track } from "./track.ts";
import { discard, sendWithin } from "./transport.ts";
import { warn } from "./warn.ts";

type Call = [method: string, ...args: unknown[]];

/** Methods that record the event of their name: productViewed records product_viewed. */
const NAMED =
  "productViewed cartAdded cartRemoved checkoutStarted checkoutStep couponTried purchased reviewsViewed promoSeen searched";

const known = (name: "visitor" | "session") => () => (consent() === false ? "" : identity()[name]);

/** Puts the methods on window.whyleft and makes the calls that were queued before the script arrived. */
export function publish(start: () => void): void {
  const early = (window.whyleft || {}) as { q?: Call[] };
  const methods: Record<string, (...args: any[]) => unknown> = {
    track,
    page: guard(page),
    identify: (who: Identity) => track("identified", who),
    consent: guard((given: Consent) => {
      if (!given) return consent() ? "granted" : consent() === false ? "denied" : "pending";
      const { analytics } = given;
      if (analytics !== undefined) choose(analytics) ? start() : discard();
      return track("consent_changed", given);
    }),
    flush: () => sendWithin(0),
    visitor: known("visitor"),
    session: known("session"),
    on: (_name: string, listener: () => boolean | void) => listeners.push(listener),
  };
  for (const name of NAMED.split(" "))
    methods[name] = (props?: object) => track(name.replace(/[A-Z]/g, "_$&").toLowerCase(), props);

  const push = guard(([method, ...args]: Call) =>
    methods[method] ? void methods[method](...args) : warn("no method " + method),
  );
  const q = early.q;
  // The page may have kept the object it queued on: that one must work from now on.
  window.whyleft = Object.assign(early, methods, { q: { push } }) as unknown as Whyleft;
  q?.forEach(push);
}
