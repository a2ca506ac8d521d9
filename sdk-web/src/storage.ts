import { json } from "./json.ts";

type Store = "localStorage" | "sessionStorage";

const { parse } = JSON;

// Storage may throw when blocked, full or missing, and then a page remembers what it can in its variables.
export function recall<T>(store: Store, name: string, otherwise?: T): T {
  try {
    return parse(window[store]["whyleft" + name]) || otherwise!;
  } catch {
    return otherwise!;
  }
}

/** What is remembered under names that begin like this, in their order. */
export function names(start: string): string[] {
  try {
    return Object.keys(localStorage).flatMap((name) => (name.startsWith("whyleft" + start) ? name.slice(7) : [])).sort();
  } catch {
    return [];
  }
}

/** Remembers a value, or forgets it when there is none. Says whether the browser took it. */
export function remember(store: Store, name: string, value?: unknown): boolean {
  try {
    if (value) window[store]["whyleft" + name] = json(value);
    else delete window[store]["whyleft" + name];
    return true;
  } catch {
    return false;
  }
}
