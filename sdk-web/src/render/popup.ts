import type { Happening, Template } from "./contract.ts";
import { element } from "./element.ts";
import { form } from "./form.ts";
import { callToAction, closeButton, words } from "./parts.ts";

/** A modal dialog: the browser keeps the focus inside, closes it on Esc, and gives the focus back. */
export const popup: Template = (stage, content, report) => {
  let outcome: Happening["kind"] | "" = "dismissed";
  const dialog = element("dialog", "popup card");
  const dismiss = (): void => dialog.close();
  const { dismiss_label } = content;
  const later = dismiss_label ? element("button", "later", dismiss_label) : null;
  if (later) later.onclick = dismiss;
  dialog.append(
    element(
      "div",
      "inside",
      "",
      ...words(content, "h2"),
      content.input
        ? form(content, (happening) => {
            report(happening);
            outcome = "";
          })
        : callToAction(content, () => {
            outcome = "clicked";
            dialog.close();
          }),
      later,
      closeButton(content, dismiss),
    ),
  );
  dialog.ariaLabel = content.title || content.body || "";
  // The dialog itself takes the focus: on a phone an input would bring up the keyboard over it.
  dialog.tabIndex = -1;
  dialog.onclose = () => {
    if (outcome) report({ kind: outcome });
    stage.clear();
  };
  // The dialog is filled by `inside`, so a click on the dialog itself hit the backdrop.
  dialog.onclick = ({ target }) => {
    if (target === dialog) dismiss();
  };
  stage.put(dialog);
  dialog.showModal();
  dialog.focus();
};
