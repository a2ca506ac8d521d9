import type { Content, Report, Template } from "./contract.ts";
import { element } from "./element.ts";
import { form } from "./form.ts";
import { callToAction, closeButton, words } from "./parts.ts";
import { shelf } from "./shelf.ts";

/** A strip or a card at the edge of the page. It never takes the focus, covers little, and moves nothing on the page. */
export const panel =
  (kind: "banner" | "card" | "form" | "carousel"): Template =>
  (stage, content, report) => {
    const end: Report = (happening) => {
      report(happening);
      stage.clear();
    };
    const dismiss = (): void => end({ kind: "dismissed" });
    const made = element(
      "section",
      kind + (kind === "banner" ? " card" : " side card"),
      "",
      element("div", "words", "", ...words(content, "strong")),
      middle(content, report, end),
      closeButton(content, dismiss),
    );
    made.ariaLabel = content.title || content.body || "";
    made.onkeydown = ({ key }) => {
      if (key === "Escape") dismiss();
    };
    stage.put(made);
  };

function middle(content: Content, report: Report, end: Report): HTMLElement | undefined {
  if (content.input) return form(content, report);
  if (content.items) return shelf(content, (answer) => end({ kind: "clicked", answer }));
  return callToAction(content, () => end({ kind: "clicked" }));
}
