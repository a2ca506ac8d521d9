/**
 * Delivers batches: one at a time while the page lives, by beacon when it goes, from storage on the next page.
 * The server knows by event id what it has seen, so sending twice is always safe and losing never is.
 */
import { perform } from "./actions.ts";
import { address } from "./config.ts";
import { guard } from "./guard.ts";
import { consent, recall, remember, share } from "./memory.ts";
import { warn } from "./warn.ts";

/** The keys are short because batches that could not be sent are stored. */
interface Batch {
  /** Visitor, session, tab and page, as JSON without its braces. */
  h: string;
  /** Events, as JSON. */
  e: string[];
}

// A beacon and a keepalive request may hold 64 KiB, which all scripts of the page share.
const BATCH_LENGTH = 57_000;
/** How many batches are kept while the server can't be reached; the oldest goes first. */
const KEPT = 40;
const RETRY_MS = 3_000;
const RETRIES = 10;

// Taken before anyone, ourselves included, patches it.
const { fetch } = window;

let queue: Batch[] = [];
let flying: Batch | undefined;
let failures = 0;
let notBefore = 0;
let due = Infinity;
let timer: ReturnType<typeof setTimeout>;

/** Puts an event (as JSON) into the batch that is open for this visitor, session and page. */
export function enqueue(head: string, event: string): void {
  const last = queue[queue.length - 1];
  if (last && last !== flying && last.h === head && last.e.join().length + event.length < BATCH_LENGTH) last.e.push(event);
  else queue = [...queue, { h: head, e: [event] }].slice(-KEPT);
}

/** Sends soon, and no sooner than the server asked for. */
export function sendWithin(ms: number): void {
  const at = Math.max(Date.now() + ms, notBefore);
  if (at >= due) return;
  clearTimeout(timer);
  timer = setTimeout(guard(sendNext), (due = at) - Date.now());
}

/** Hands everything to the browser; what it does not take is kept for the next page. For a page that may be gone. */
export function sendAll(): void {
  share();
  if (!consent()) return;
  // A request under way may die with the page: its batch goes again, the server drops what it had.
  queue = queue.filter((batch) => !navigator.sendBeacon(address, body(batch)));
  remember("localStorage", "queue", queue.length && queue);
}

/** Takes over what an earlier page could not send. */
export function restore(): void {
  const kept = recall<Batch[]>("localStorage", "queue", []);
  remember("localStorage", "queue");
  queue = [...kept, ...queue].slice(-KEPT);
  if (queue.length) sendWithin(0);
}

function sendNext(): void {
  due = Infinity;
  share();
  const batch = queue[0];
  if (flying || !batch || !consent()) return;
  flying = batch;
  fetch(address, { method: "POST", body: body(batch), keepalive: true, credentials: "omit" }).then(guard(answered), guard(failed));
}

const body = ({ h, e }: Batch): string => `{${h},"sent_at":${Date.now()},"events":[${e.join()}]}`;

function answered(response: Response): void {
  const { ok, status } = response;
  if (status === 429 || status > 499) return failed(response);
  if (ok) response.json().then(guard(({ action }) => action && perform(action)), () => {});
  else warn(`the server refused events (${status}); see ${address.split("?")[0]} in the network panel`);
  failures = 0;
  settle(true);
}

function failed(response?: Response): void {
  const wait = Number(response?.headers?.get("retry-after")) * 1000;
  const given = ++failures > RETRIES;
  notBefore = Date.now() + Math.min(wait || RETRY_MS * 2 ** failures * (0.5 + Math.random()), 3e5);
  settle(given);
}

function settle(over: boolean): void {
  const batch = flying;
  flying = undefined;
  if (over) queue = queue.filter((other) => other !== batch);
  if (queue.length) sendWithin(0);
}
