import type { Action } from "../public.d.ts";
import { element } from "./element.ts";

/** One e-mail field, a consent box that starts empty, and a thank-you in their place. */
export function form(content: Action["content"], submitted: (email: string, agreed: boolean) => void): HTMLElement {
  const { label, consent_label } = content.input!;
  const email = element("input", "");
  email.type = "email";
  email.required = true;
  email.autocomplete = "email";
  email.maxLength = 320;
  const box = element("input", "");
  box.type = "checkbox";
  const made = element(
    "form",
    "",
    "",
    element("label", "", "", element("span", "", label), email),
    consent_label ? element("label", "agree", "", box, element("span", "", consent_label)) : null,
    element("button", "cta", content.cta?.label || "OK"),
  );
  made.onsubmit = (event) => {
    event.preventDefault();
    submitted(email.value, box.checked);
    const thanks = element("p", "thanks", content.thanks || "Thank you!");
    thanks.role = "status";
    thanks.tabIndex = -1;
    made.replaceWith(thanks);
    thanks.focus();
  };
  return made;
}
