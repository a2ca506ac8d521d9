import type { Core } from "../core.ts";
import { guard } from "../guard.ts";

/** What the core lent to this chunk. */
export let core: Core;

export const track: Core["track"] = (type, props) => core.track(type, props);
export const record: Core["track"] = (type, props) => core.record(type, props);

const handlers: Record<string, ((event: any) => void)[]> = {};
const waiting: (() => void)[] = [];

/** Hears these events of the page, also those that happened before this chunk was here. */
export function on<E extends { type: string } = Event>(types: string, handler: (event: E) => void): void {
  for (const type of types.split(" ")) (handlers[type] ||= []).push(handler);
}

/**
 * Every event of a click comes through here, with nothing between it and the page: each function on its way costs as much as
 * what most handlers do. So it never throws, and uses nothing that a page may have replaced.
 */
export function hand(event: { type: string }): void {
  const list = handlers[event.type];
  for (let at = 0; list?.[at]; at++)
    try {
      list[at]!(event);
    } catch {
      // One that fails does not keep the event from the next.
    }
}

/** Does what was put off: after a while, before anything else is recorded, and before the page is hidden or left. */
export const catchUp = (): void => waiting.splice(0).forEach((work) => guard(work)());

/** Puts off what the visitor need not wait for; whoever does sees that it is caught up with. */
export const later = (work: () => void): unknown => waiting.push(work);

export function lend(given: Core): void {
  core = given;
  core.here.catchUp = catchUp;
  core.partings.push(catchUp);
}
