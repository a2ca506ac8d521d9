import { now } from "./clock.ts";
import { consentByDefault } from "./config.ts";
import { uuid } from "./uuid.ts";

/** What this browser remembers of its visitor, shared by the tabs of the shop. Stored as it is: the keys are short. */
interface Memory {
  /** The visitor's yes or no to analytics; missing when they were never asked. */
  c?: boolean;
  /** Visitor id. */
  v?: string;
  /** Session id, and its last activity in any tab. */
  s?: string;
  a?: number;
  /** Open tabs, and when each was last busy. */
  t?: Record<string, number>;
}

/** What one tab remembers from page to page. */
interface Tab {
  id: string;
  /** The next event's number. */
  n: number;
  /** The last two paths, and when the later one was reached. */
  p?: [before: string, last: string, at: number];
}

const IDLE_MS = 30 * 60_000;

// Calls inline their storage access: it may throw when blocked, full or missing, and then a page remembers what it can
// in its variables.
export function recall<T>(store: "localStorage" | "sessionStorage", name: string, otherwise: T): T {
  try {
    return JSON.parse(window[store].getItem("whyleft" + name)!) || otherwise;
  } catch {
    return otherwise;
  }
}

/** Remembers a value, or forgets it when there is none. */
export function remember(store: "localStorage" | "sessionStorage", name: string, value?: unknown): void {
  try {
    if (value) window[store].setItem("whyleft" + name, JSON.stringify(value));
    else window[store].removeItem("whyleft" + name);
  } catch {
    // see recall
  }
}

let memory: Memory = recall("localStorage", "", {});

export let tab: Tab;

/** true: events are sent and ids are kept; undefined: both wait in memory; false: nothing is collected. */
export const consent = (): boolean | undefined => memory.c ?? consentByDefault;

// A time from the future is no fresher than one from the past: clocks get corrected.
const fresh = (at = 0): boolean => Math.abs(now() - at) < IDLE_MS;

/** Who and which visit: asking counts as activity, and 30 minutes without any in any tab start a new session. */
export function identity(): { visitor: string; session: string; tab: string } {
  if (!fresh(memory.a)) memory = { ...memory, ...recall<Memory>("localStorage", "", {}) };
  if (!fresh(memory.a)) memory.s = uuid();
  memory.a = now();
  return { visitor: (memory.v ||= uuid()), session: memory.s!, tab: tab.id };
}

/** Shares what this tab knows and hears what others did. Says whether other tabs are open in this visit. */
export function share(open = true): boolean {
  const stored = recall<Memory>("localStorage", "", {});
  if (stored.c === false || stored.a! > memory.a!) memory = stored;
  const { [tab.id]: _, ...others } = stored.t || {};
  memory.t = open ? { ...others, [tab.id]: now() } : others;
  if (consent()) remember("localStorage", "", memory);
  return Object.values(others).some(fresh);
}

/** Takes over from the page before in this tab. Taken, not read: a duplicated tab must not find its twin's identity. */
export function arrive(): void {
  tab = recall("sessionStorage", "tab", tab || { id: uuid().slice(-8), n: 0 });
  remember("sessionStorage", "tab");
}

export function depart(): void {
  if (consent()) remember("sessionStorage", "tab", tab);
}

export function choose(analytics: boolean): void {
  memory = analytics ? { ...memory, c: true } : { c: false };
  remember("localStorage", "", memory);
}
