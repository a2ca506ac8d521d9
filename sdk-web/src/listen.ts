import { guard } from "./guard.ts";

/** Listens early: the page's own handlers cannot hide an event from us. Nothing is listened to that a page's scrolling waits for. */
export function listen<E extends Event>(
  target: EventTarget | undefined,
  type: string,
  handler: (event: E) => void,
): void {
  target?.addEventListener(type, guard(handler) as EventListener, true);
}
