import { now } from "./clock.ts";
import { consentByDefault } from "./config.ts";
import { here } from "./state.ts";
import { names, recall, remember } from "./storage.ts";
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
}

const IDLE_MS = 30 * 60_000;

/** Two UUIDv7 of this century, one after the other. */
const IDS = /^(01[\da-f-]{12}7[\da-f-]{21}){2}$/;

/** What is stored, as far as it can be ours: the name is short, and with ids that are none the server takes nothing. */
const stored = (): Memory => {
  const { ...found } = recall<Memory>("localStorage", "", {});
  return IDS.test(found.v! + found.s) ? found : ({ c: found.c } as Memory);
};

let memory = stored();

export let tab: Tab;

/** true: events are sent and ids are kept; undefined: both wait in memory; false: nothing is collected. */
export const consent = (): boolean | undefined => (memory.c === !!memory.c ? memory.c : consentByDefault);

/** The visitor said yes themselves; nobody decided it for them. */
export const agreed = (): boolean => memory.c === true;

// A time from the future is no fresher than one from the past: clocks get corrected.
const fresh = (at = 0): boolean => Math.abs(now() - at) < IDLE_MS;

/** Who and which visit: asking counts as activity, and 30 minutes without any in any tab start a new session. */
export function identity(): { visitor: string; session: string; tab: string } {
  if (!fresh(memory.a)) memory = { ...memory, ...stored() };
  if (!fresh(memory.a)) memory.s = uuid();
  memory.a = now();
  return { visitor: (memory.v ||= uuid()), session: memory.s!, tab: tab.id };
}

/** Shares what this tab knows and hears what others did. Says whether other tabs are open in this visit. */
export function share(): unknown {
  const theirs = stored();
  if (theirs.c === false || (theirs.a! > memory.a! && fresh(theirs.a))) memory = theirs;
  const tabs: Record<string, number> = {};
  for (const id in theirs.t) if (id !== tab.id && fresh(theirs.t[id])) tabs[id] = theirs.t[id]!;
  memory.t = here.leaving ? tabs : { ...tabs, [tab.id]: now() };
  if (consent()) remember("localStorage", "", memory);
  return Object.keys(tabs)[0];
}

/**
 * Takes over from the page before in this tab. Taken, not read: a duplicated tab must not find its twin's identity. A page
 * that comes back may do so before the other has left; it starts its numbers anew, under another id.
 */
export function arrive(): void {
  tab = recall("sessionStorage", "tab", { id: uuid().slice(-8), n: 0 });
  remember("sessionStorage", "tab");
}

export function depart(): void {
  if (consent()) remember("sessionStorage", "tab", tab);
}

/**
 * The visitor's own choice, and whether it is a yes: only true is one. A yes takes over who they are by one they gave in another
 * tab; a no forgets it.
 */
export function choose(analytics: unknown): boolean {
  const c = analytics === true;
  memory = { ...(c && { ...memory, ...stored() }), c };
  if (!c) for (const name of names("")) remember("localStorage", name);
  remember("localStorage", "", memory);
  return c;
}
