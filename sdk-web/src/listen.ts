import { guard } from "./guard.ts";

/** Listens early and passively: the page's own handlers can neither hide an event from us nor wait for us. */
export function listen<E extends Event>(
  target: EventTarget | undefined,
  types: string,
  handler: (event: E) => void,
): void {
  for (const type of types.split(" "))
    target?.addEventListener(type, guard(handler) as EventListener, { capture: true, passive: true });
}
