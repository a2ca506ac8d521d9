/** The script tag: reads what it says and starts. */
import { boot } from "./boot.ts";
import { configure } from "./config.ts";

const { dataset, src } = (document.currentScript || document.querySelector("script[data-key]")) as HTMLScriptElement;

configure(
  dataset.key,
  dataset.endpoint || new URL(src).origin,
  // The chunks live beside this script.
  (name) => import(new URL(`whyleft-${name}.js`, src) as unknown as string),
  // However it is written: a slip must not store what nobody agreed to.
  "consent" in dataset,
  dataset.respectDnt === "false",
);
boot();
