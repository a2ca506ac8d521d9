import type { agreed, consent, identity } from "./memory.ts";
import type { Load } from "./config.ts";
import type { Called } from "./early.ts";
import type { Action } from "./public.d.ts";
import type { here } from "./state.ts";
import type { track } from "./track.ts";
import type { answers } from "./transport.ts";

/** What the core lends to the chunks, which are built on their own and must not have a second copy of its state. */
export interface Core {
  track: typeof track;
  record: typeof track;
  agreed: typeof agreed;
  consent: typeof consent;
  identity: typeof identity;
  /** The page may want to hear of an action first, or draw it itself. */
  listeners: ((action: Action) => boolean | void)[];
  /** Called before the page is hidden, or (`gone`) left for another. */
  partings: ((gone: boolean) => void)[];
  /** Events of the page since its start; whoever takes over hears the next ones. */
  hear(listener: (event: Event | Called) => void): void;
  /** The visitor is on the way to this address. */
  head(url: string): void;
  here: typeof here;
  load: Load;
  collector: string;
  answers: typeof answers;
}

/** What the server answers to a batch. `withdraw`: actions that no longer fit and are taken down. */
export interface Answer {
  action: Action | null;
  withdraw?: string[];
  /** Events that are kept aside, and why. */
  rejected?: { error: string }[];
}

export interface Signals {
  watch(core: Core): void;
  answered(answer: Answer): void;
}
