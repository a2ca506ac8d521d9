import type { Action } from "./public.d.ts";

/** Pages that want to hear of an action before it is drawn, or draw it themselves. */
export const listeners: ((action: Action) => boolean | void)[] = [];
