import { guard } from "./guard.ts";
import { patch } from "./patch.ts";

/** A call of the page's that a signal may be made of. */
export interface Called {
  type: "fetch" | "open" | "send" | "page" | "event";
  timeStamp: number;
  /** What was called upon; of a page, its path; of an event, its type. */
  self?: any;
  args?: any;
  result?: any;
}

/** What signals are made of, and may happen before their chunk is here. */
const TYPES =
  "pointerdown click auxclick focusin focusout input submit error unhandledrejection copy";
/** A page whose chunk never comes keeps no more than this. */
const MOST = 200;

const early: (Event | Called)[] = [];

let listener = (event: Event | Called): unknown => early.length < MOST && early.push(event);

/** Tells whoever watches what the page did. */
export const tell = (type: Called["type"], self?: any, args?: any, result?: any): unknown =>
  listener({ type, self, args, result, timeStamp: performance.now() });

/**
 * Watches from the page's first moment, once, whoever is interested later. Requests are looked at from outside: arguments
 * go through untouched and the page gets the very promise that the browser made. The price: once we have looked at it, a
 * rejection nobody handles is not reported as unhandled.
 */
export function watchEarly(): void {
  // Whoever listens keeps its troubles to itself: a guard would cost as much as what it guards.
  for (const type of TYPES.split(" ")) addEventListener(type, (event) => listener(event), true);
  for (const name of ["fetch", "open", "send"] as const)
    guard(patch)(name === "fetch" ? window : XMLHttpRequest.prototype, name, (...call) => tell(name, ...call));
}

/** Hears what happened so far, then everything as it happens. */
export function hear(next: (event: any) => void): void {
  listener = next;
  early.splice(0).forEach(next);
}
