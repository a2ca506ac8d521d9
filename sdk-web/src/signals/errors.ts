import { on, track } from "./lent.ts";

const PER_MESSAGE = 5;
/** "Script error." is all a browser says of another origin's script; the other is a notice that nothing is wrong. */
const NOISE = /^(Script error\.?$|ResizeObserver loop)/;
const seen: Record<string, number> = {};

/** Script errors of the page, a few of each. */
export function watchErrors(): void {
  on("error", ({ message, filename, lineno }: ErrorEvent) => report(message, filename, lineno));
  // What somebody called off did not fail.
  on("unhandledrejection", ({ reason }: PromiseRejectionEvent) => reason?.name === "AbortError" || report(String(reason?.message || reason)));
}

function report(message: string, source = "", line = 0): void {
  if (!message || NOISE.test(message)) return;
  if ((seen[message] = (seen[message] || 0) + 1) <= PER_MESSAGE)
    track("js_error", { message: message.slice(0, 2048), source: source.split(/[?#]/)[0], line });
}
