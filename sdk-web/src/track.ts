import { now } from "./clock.ts";
import { guard } from "./guard.ts";
import { consent, identity, tab } from "./memory.ts";
import { here } from "./state.ts";
import { enqueue, sendAll, sendWithin } from "./transport.ts";
import { uuid } from "./uuid.ts";

/** Events that a decision waits for. The others travel together. */
const URGENT = /^(page_v|cart|checkout|purchased|request|exit)/;
const PATIENCE_MS = 1500;

/** Records an event on this page and sees that it is sent. */
export const track = guard((type: string, props: object = {}) => {
  if (consent() === false) return;
  const head = JSON.stringify({ ...identity(), page: here.page }).slice(1, -1);
  enqueue(head, JSON.stringify({ id: uuid(), seq: tab.n++, t: now(), type, props }));
  if (here.leaving) sendAll();
  else sendWithin(URGENT.test(type) ? 0 : PATIENCE_MS);
});
