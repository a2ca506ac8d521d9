import { banner } from "./banner.ts";
import type { Renderer } from "./contract.ts";
import { popup } from "./popup.ts";
import { stage } from "./stage.ts";

const TEMPLATES = { banner, popup };

/** Draws an action into a shadow tree of its own, out of reach of the page's styles. */
export const show: Renderer["show"] = (action, report) => {
  const root = stage(() => report({ kind: "closed" }));
  (TEMPLATES[action.template] || banner)(root, action.content, report);
  report({ kind: "shown" });
};
