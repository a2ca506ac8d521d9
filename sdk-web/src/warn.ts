const said: Record<string, boolean> = {};

/** One line in the console for the shop's developer; the same once more would be noise. */
export function warn(message: string): void {
  said[message] ||= !console.warn("whyleft: " + message);
}
