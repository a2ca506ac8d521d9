import type { Action } from "../public.d.ts";
import type { Happening } from "./contract.ts";
import { element } from "./element.ts";
import { form } from "./form.ts";
import { callToAction, closeButton } from "./parts.ts";
import type { Stage } from "./stage.ts";

/** A modal dialog: the browser keeps the focus inside, closes it on Esc, and gives the focus back. */
export function popup(stage: Stage, content: Action["content"], report: (happening: Happening) => void): void {
  let outcome: Happening["kind"] | "" = "dismissed";
  const dialog = element("dialog", "popup card");
  const end = (kind: typeof outcome): void => {
    outcome = kind;
    dialog.close();
  };
  const dismiss = (): void => dialog.close();

  const title = content.title ? element("h2", "", content.title) : null;
  const text = element(
    "div",
    "inside",
    "",
    title,
    content.body ? element("p", "", content.body) : null,
    content.input
      ? form(content, (email, agreed) => {
          report({ kind: "clicked", email, agreed });
          outcome = "";
        })
      : callToAction(content, () => end("clicked")),
    content.input || content.dismiss_label ? laterButton(content, dismiss) : null,
    closeButton(content, dismiss),
  );
  dialog.append(text);
  dialog.ariaLabel = content.title || content.body || "";
  // The dialog itself takes the focus: on a phone an input would bring up the keyboard over it.
  dialog.autofocus = true;
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
}

function laterButton({ dismiss_label }: Action["content"], dismiss: () => void): HTMLElement | null {
  if (!dismiss_label) return null;
  const made = element("button", "later", dismiss_label);
  made.onclick = dismiss;
  return made;
}
