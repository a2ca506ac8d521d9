/** Loads a chunk of this SDK by its short name. */
export type Load = (name: "signals" | "render" | "auto" | "debug" | "push") => Promise<any>;

export let key: string | undefined;
export let collector: string;
export let load: Load;
/** Before the visitor has chosen: true collects, undefined waits in memory, false collects nothing. */
export let consentByDefault: boolean | undefined;

/**
 * What the shop says when it starts the SDK: on the script tag, or to `start` of the npm package.
 * `pending`: nothing is stored or sent before the visitor agreed. `deaf`: Global Privacy Control and Do Not Track are not
 * honoured.
 */
export function configure(writeKey: string | undefined, endpoint: string, chunks: Load, pending: boolean, deaf: boolean): void {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };
  key = writeKey;
  collector = endpoint.replace(/\/?$/, "/v1/events");
  load = chunks;
  consentByDefault = !deaf && (globalPrivacyControl || doNotTrack === "1") ? false : pending ? undefined : true;
}
