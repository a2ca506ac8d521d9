const said: Record<string, true> = {};

/** One line in the console for the shop's developer; the same once more would be noise. */
export function warn(message: string): void {
  if (!said[message]) console.warn("whyleft: " + message);
  said[message] = true;
}
