import type { Renderer } from "./contract.ts";
import { panel } from "./panel.ts";
import { popup } from "./popup.ts";
import { stage } from "./stage.ts";

/** Draws an action into a shadow tree of its own, out of reach of the page's styles. */
export const show: Renderer["show"] = ({ template, content }, report) => {
  const root = stage(() => report({ kind: "closed" }));
  (template === "popup" ? popup : panel(template))(root, content, report);
  report({ kind: "shown" });
  return root;
};
