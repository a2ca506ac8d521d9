/** What the script tag says: the key, where events go, and what a visitor is asked first. */
const tag = (document.currentScript || document.querySelector("script[data-key]")) as HTMLScriptElement;
const { dataset, src } = tag;

export const { key } = dataset;
export const collector = (dataset.endpoint || new URL(src).origin) + "/v1/events";
export const address = collector + "?key=" + key;

/** The chunks live beside this script. */
const chunk = (name: string): string => src.replace(/\.js.*/, `-${name}.js`);
export const renderer = chunk("render");
export const signals = chunk("signals");

const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };

/** Before the visitor has chosen: true collects, undefined waits in memory, false collects nothing. */
export const consentByDefault =
  dataset.respectDnt !== "false" && (globalPrivacyControl || doNotTrack === "1")
    ? false
    : dataset.consent === "required"
      ? undefined
      : true;
