import type { Content, Report } from "./contract.ts";
import { element } from "./element.ts";

/** One question: an e-mail address, a few words, or a choice. A consent box starts empty; a thank-you takes their place. */
export function form(content: Content, report: Report): HTMLElement {
  const { kind, label, consent_label, options } = content.input!;
  const box = element("input", "");
  box.type = "checkbox";
  const fields = options?.map((option) => {
    const choice = input("radio");
    choice.value = option;
    return element("label", "agree", "", choice, element("span", "", option));
  }) || [element("label", "", "", element("span", "", label), input(kind))];
  const made = element(
    "form",
    "",
    "",
    ...(options ? [element("fieldset", "", "", element("legend", "", label), ...fields)] : fields),
    consent_label ? element("label", "agree", "", box, element("span", "", consent_label)) : null,
    element("button", "cta", content.cta?.label || "OK"),
  );
  made.onsubmit = (event) => {
    event.preventDefault();
    const given = String(new FormData(made).get("answer"));
    report({ kind: "clicked", agreed: box.checked, [kind === "email" ? kind : "answer"]: given });
    const thanks = element("p", "thanks", content.thanks || "Thank you!");
    thanks.role = "status";
    thanks.tabIndex = -1;
    made.replaceWith(thanks);
    thanks.focus();
  };
  return made;
}

function input(type: string): HTMLInputElement {
  const made = element("input", "");
  made.name = "answer";
  made.type = type;
  made.required = true;
  made.maxLength = 320;
  if (type === "email") made.autocomplete = "email";
  return made;
}
