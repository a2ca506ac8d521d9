/** What the core lends to this chunk: the way to record an event. */
export type Track = (type: string, props?: object) => void;

export let track: Track = () => {};

export function lend(given: Track): void {
  track = given;
}
