/**
 * Delivers batches: one at a time while the page is looked at, all at once when it is hidden or left, from storage on the
 * next page. The server knows by event id what it has seen, so sending twice is always safe and losing never is.
 */
import { now } from "./clock.ts";
import { collector, key } from "./config.ts";
import { guard } from "./guard.ts";
import { consent, share } from "./memory.ts";
import { here } from "./state.ts";
import { names, recall, remember } from "./storage.ts";
import { warn } from "./warn.ts";

/** The keys are short because batches that could not be sent are stored. */
interface Batch {
  /** Visitor, session, tab and page, as JSON without its braces. */
  h: string;
  /** Events, as JSON. */
  e: string[];
  /** Bytes. */
  n: number;
  /** Under way: 1 dies with the page, 2 outlives it. */
  f?: 0 | 1 | 2 | undefined;
  /** A copy is stored. */
  k?: 1 | undefined;
}

// Requests that outlive their page may hold 64 KiB together, whichever script of the page sends them; the ledger of ours.
const LEDGER_BYTES = 60_000;
const LEDGER_REQUESTS = 9;
const BATCH_EVENTS = 400;
/** What is kept while the server can't be reached; the oldest goes first. */
const KEPT_BYTES = 500_000;
const RETRY_MS = 3_000;
const RETRIES = 10;
/** A server that has not answered by then will not. */
const TIMEOUT_MS = 30_000;

// Taken before anyone, ourselves included, patches it.
const { fetch } = window;
const outlives = "keepalive" in Request.prototype;
const encoder = new TextEncoder();

/** Whom to tell what the server answered. */
export const answers: { hear: (answer: any) => void } = { hear: () => {} };

let queue: Batch[] = [];
/** Bytes of a batch: what fits the ledger, and half of what was too large for somebody on the way. */
let most = 57_000;
let aloft = 0;
let requests = 0;
let failures = 0;
let notBefore = 0;
let due = Infinity;
let timer: ReturnType<typeof setTimeout>;

const bytes = (text: string): number => encoder.encode(text).length;
const body = ({ h, e }: Batch): string => `{${h},"sent_at":${now()},"events":[${e}]}`;
// The visitor stands in the address too, so that a balancer can send each to the process that knows them.
const address = ({ h }: Batch): string => `${collector}?key=${key}&v=${("" + h).slice(11, 47)}`;
const fits = ({ n }: Batch): boolean => aloft + n <= LEDGER_BYTES && requests < LEDGER_REQUESTS;
const trim = (batches: Batch[]): Batch[] => {
  let room = KEPT_BYTES;
  return batches.reduceRight<Batch[]>((kept, batch) => ((room -= batch.n) > 0 ? [batch, ...kept] : kept), []);
};

/** Puts an event (as JSON) into the batch that is open for this visitor, session and page. */
export function enqueue(head: string, event: string): void {
  const size = bytes(event) + 1;
  let last = queue[queue.length - 1];
  if (!last || last.f || last.h !== head || last.n + size > most || last.e.length === BATCH_EVENTS) {
    last = { h: head, e: [], n: bytes(head) + 60 };
    queue = trim([...queue, last]);
  }
  last.e.push(event);
  last.n += size;
}

/** Sends soon, and no sooner than the server asked for. */
export function sendWithin(ms: number): void {
  const at = Math.max(performance.now() + ms, notBefore);
  if (at >= due) return;
  clearTimeout(timer);
  timer = setTimeout(guard(sendNext), (due = at) - performance.now());
}

function sendNext(): void {
  // What is caught up with travels now: no timer of its own.
  here.catchUp?.();
  due = Infinity;
  share();
  if (consent() && queue[0] && !queue.some(({ f }) => f)) launch(queue[0]);
}

function launch(batch: Batch): void {
  // What other scripts of the page have under way counts too, unseen: what was refused once goes the plain way.
  const keepalive = outlives && !failures && fits(batch);
  batch.f = keepalive ? 2 : 1;
  if (keepalive) count(batch.n, 1);
  const signal = (AbortSignal as Partial<typeof AbortSignal>).timeout?.(TIMEOUT_MS) as AbortSignal;
  fetch(address(batch), { method: "POST", body: body(batch), keepalive, credentials: "omit", signal })
    .catch(() => {})
    .then(
      guard((response: Response | void) => {
        batch.f = 0;
        if (keepalive) count(-batch.n, -1);
        answered(batch, response);
        if (queue[0]) sendWithin(0);
      }),
    );
}

function count(n: number, one: number): void {
  aloft += n;
  requests += one;
}

const complain = (why: unknown): void => warn(`events refused (${why}): check the key, and ${collector}`);

function answered(batch: Batch, response: Response | void): void {
  // Without an answer it is as if the server had failed.
  const { ok, status = 500 } = response || ({} as Partial<Response>);
  // A key that is refused now may be mended by the next page; this page stops asking.
  const refused = status === 401 || status === 403;
  if (refused || status === 429 || status > 499) failed(batch, response);
  else {
    failures = 0;
    if (status === 413 && split(batch)) most = batch.n / 2;
    else drop(batch);
    if (ok) response!.json().then(guard((answer) => answers.hear(answer)), () => {});
  }
  if (refused) notBefore = Infinity;
  if (status < 500 && !ok) complain(status);
}

function failed(batch: Batch, response: Response | void): void {
  // What was due sooner waits as well.
  clearTimeout(timer);
  due = Infinity;
  // Asked often enough: what is left waits in storage for the next page, or for the network to come back.
  notBefore =
    failures++ < RETRIES
      ? performance.now() +
        (failures > 1 || response
          ? Math.min((response?.headers.get("retry-after") as never) * 1000 || RETRY_MS * 2 ** failures * (0.5 + Math.random()), 3e5)
          : 0)
      : Infinity;
  if (failures > 1 && !response) {
    complain("no answer");
    // A proxy that refuses what is too large may do so in words that a page of another origin cannot read.
    split(batch);
  }
  // They may have said no in another tab meanwhile.
  share();
  if (consent()) keep(queue);
}

/** The halves of a batch, if there is more than one event in it. */
function halves({ h, e, k }: Batch): Batch[] | false {
  const middle = e.length >> 1;
  return !!middle && [e.slice(0, middle), e.slice(middle)].map((half) => ({ h, e: half, n: bytes(h + half) + 60, k }));
}

/** Puts its halves into the queue instead of a batch. Says whether it has any. */
function split(batch: Batch): boolean {
  const parts = halves(batch);
  queue = queue.flatMap((other) => (parts && other === batch ? parts : other));
  return !!parts;
}

/** Hands everything over. For a page that is being hidden or left, and may not come back. */
export function sendAll(): void {
  share();
  if (!consent()) return;
  if (here.leaving) {
    // A beacon brings no answer: in doubt, a copy stays for the next page.
    const doubtful = failures || !navigator.onLine;
    const left = queue.flatMap((batch) => {
      const refused = batch.f === 2 || notBefore === Infinity ? [] : offer(batch);
      return doubtful ? batch : refused;
    });
    for (const batch of queue) if (batch.k) drop(batch);
    // What is under way may still be heard of, should the page come back.
    queue = queue.filter(({ f }) => f === 2);
    keep(left);
  } else {
    for (const batch of queue) if (!batch.f && notBefore <= performance.now()) launch(batch);
    // The tab may be killed without another word.
    keep(queue);
  }
}

/** Offers a batch to the browser as a beacon, then its halves. Returns what was not surely taken. */
function offer(batch: Batch, whole = true): Batch[] {
  if (fits(batch) && navigator.sendBeacon?.(address(batch), body(batch))) {
    count(batch.n, 1);
    // Nobody says when a beacon is over. A page that comes back finds the ledger empty again.
    setTimeout(() => count(-batch.n, -1), RETRY_MS);
    return [];
  }
  const parts = whole && halves(batch);
  if (parts) return parts.flatMap((half) => offer(half, false));
  if (outlives && fits(batch)) launch({ ...batch });
  return [batch];
}

// Each batch has an entry of its own, named by its first event: of a list that tabs share, one that writes would lose what
// another wrote just before. In the order of their names they are in the order of their time.
const nameOf = ({ e }: Batch): string => "queue" + e[0]!.slice(7, 43);
const stored = (): Batch[] =>
  // Ids begin with their time, and that with a nought for five centuries.
  names("queue0").flatMap((name) => {
    const batch = recall<Batch | undefined>("localStorage", name);
    return guard(nameOf)(batch!) === name ? batch! : [];
  });
const forget = (batch: Batch): boolean => remember("localStorage", nameOf(batch));

/** Stores copies of batches; as many of the newest as there is room for. */
function keep(batches: Batch[]): void {
  for (const batch of batches) {
    batch.k = 1;
    while (!remember("localStorage", nameOf(batch), { ...batch, f: 0 })) {
      const [oldest] = stored();
      if (!oldest) break;
      forget(oldest);
    }
  }
  const all = stored();
  all.slice(0, all.length - trim(all).length).forEach(forget);
}

/** This batch is done with: it arrived, or never will. */
function drop(batch: Batch): void {
  queue = queue.filter((other) => other !== batch);
  if (batch.k) forget(batch);
}

/**
 * Takes over what an earlier page, or another tab, could not send. The copies stay until an answer came. `back`: the
 * network is there again, or this page, and what was answered before counts no more.
 */
export function restore(back?: Event): void {
  if (!consent()) return;
  if (back) failures = notBefore = 0;
  queue = trim([...stored().filter((batch) => !queue.some((own) => nameOf(own) === nameOf(batch))), ...queue]);
  if (queue[0]) sendWithin(0);
}

/** A navigation is under way and more waits than could be handed over at its end. */
export function hurry(): void {
  if (queue[1]) sendAll();
}

/** Throws away what waits. */
export function discard(): void {
  queue = [];
}
