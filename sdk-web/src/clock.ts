let latest = 0;

/** Epoch milliseconds that never run backwards, so that a tab's events stay in order when its clock is set back. */
export function now(): number {
  latest = Math.max(latest, Date.now());
  return latest;
}
