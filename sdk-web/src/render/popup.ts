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
  const later = element("button", "later", dismiss_label);
  later.onclick = dismiss;
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
      dismiss_label ? later : null,
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
  // To make all else inert the browser looks at every element of the page, before anything is painted: it is seen first.
  dialog.open = true;
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      // It may have been sent away or taken down meanwhile.
      if (dialog.open && dialog.isConnected) {
        dialog.open = false;
        dialog.showModal();
        dialog.focus();
      }
    }),
  );
};
