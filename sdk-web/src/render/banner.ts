import type { Action } from "../public.d.ts";
import type { Happening } from "./contract.ts";
import { element } from "./element.ts";
import { callToAction, closeButton } from "./parts.ts";
import type { Stage } from "./stage.ts";

/** A strip at the foot of the page. It never takes the focus and moves nothing on the page. */
export function banner(stage: Stage, content: Action["content"], report: (happening: Happening) => void): void {
  const end = (kind: Happening["kind"]) => (): void => {
    report({ kind });
    stage.clear();
  };
  const made = element(
    "section",
    "banner card",
    "",
    element("div", "words", "", content.title ? element("strong", "", content.title) : null, content.body ? element("p", "", content.body) : null),
    callToAction(content, end("clicked")),
    closeButton(content, end("dismissed")),
  );
  made.ariaLabel = content.title || content.body || "";
  stage.put(made);
}
