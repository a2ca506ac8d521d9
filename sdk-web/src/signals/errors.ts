import { on, track } from "./lent.ts";

const PER_MESSAGE = 5;
const seen: Record<string, number> = {};

/** Script errors of the page, a few of each. */
export function watchErrors(): void {
  on("error", ({ message, filename, lineno }: ErrorEvent) => report(message, filename, lineno));
  on("unhandledrejection", ({ reason }: PromiseRejectionEvent) => report(String(reason?.message || reason)));
}

function report(message: string, source = "", line = 0): void {
  // "Script error." is all a browser says of another origin's script: it helps nobody.
  if (!message || message === "Script error.") return;
  seen[message] = (seen[message] || 0) + 1;
  if (seen[message]! <= PER_MESSAGE)
    track("js_error", { message: message.slice(0, 2048), source: source.split(/[?#]/)[0], line });
}
