/** The script tag: reads what it says and starts. */
import { boot } from "./boot.ts";
import { configure } from "./config.ts";

const { dataset, src } = (document.currentScript || document.querySelector("script[data-key]")) as HTMLScriptElement;
const { key, endpoint, consent, respectDnt } = dataset;

configure(
  key,
  endpoint || new URL(src).origin,
  // The chunks live beside this script.
  (name) => import(src.replace(/\.js.*/, `-${name}.js`)),
  consent === "required",
  respectDnt === "false",
);
boot();
