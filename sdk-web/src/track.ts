import { now } from "./clock.ts";
import { tell } from "./early.ts";
import { guard } from "./guard.ts";
import { json } from "./json.ts";
import { consent, depart, identity, tab } from "./memory.ts";
import { here, unseen } from "./state.ts";
import { enqueue, sendAll, sendWithin } from "./transport.ts";
import { uuid } from "./uuid.ts";

/** Events that a decision waits for. The others travel together. */
const URGENT = /^(page_v|cart|check|purch|req|exit)/;
const PATIENCE_MS = 1500;

/** Records an event on this page, to be sent with the next batch. */
export const record = guard((type: string, props: object = {}) => {
  // First, also after a no: what was put off before it goes with it.
  here.catchUp?.();
  if (consent() === false) return;
  const head = json({ ...identity(), page: here.page }).slice(1, -1);
  enqueue(head, json({ id: uuid(), seq: tab.n, t: now(), type, props }));
  tab.n++;
  tell("event", type, props);
});

/** Records an event on this page and sees that it is sent. */
export const track = guard((type: string, props?: object): void => {
  if (unseen(() => track(type, props))) return;
  record(type, props);
  if (here.leaving) {
    sendAll();
    // The tab's next number is handed over when the page goes, and this event has just used it.
    depart();
  } else sendWithin(URGENT.test(type) ? 0 : PATIENCE_MS);
});
