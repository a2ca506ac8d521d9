/** A moment before this script was made: clocks that show less, or ten years more, are wrong. */
const RELEASED = 1.79e12;
const TEN_YEARS = 3.2e11;

// The server corrects times by the difference it sees, but ids carry the time too and cannot be corrected.
const wrong = Math.abs(Date.now() - (RELEASED + TEN_YEARS / 2)) > TEN_YEARS / 2;
const offset = wrong ? RELEASED - Date.now() : 0;

let latest = 0;

/** Epoch milliseconds that never run backwards, so that a tab's events stay in order when its clock is set back. */
export function now(): number {
  latest = Math.max(latest, Date.now() + offset);
  return latest;
}
