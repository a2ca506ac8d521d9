import { recall, remember } from "../storage.ts";

const ASKED = /[?&]whyleft=(debug|off)\b/;

/** Whether this tab is being debugged: asked for in an address once, it holds for the pages that follow. */
export function debugged(): boolean {
  const asked = ASKED.exec(location.search)?.[1];
  if (asked) remember("sessionStorage", "debug", asked === "debug");
  return asked ? asked === "debug" : recall("sessionStorage", "debug", false);
}

export function forget(): void {
  remember("sessionStorage", "debug");
}
