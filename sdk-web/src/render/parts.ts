import type { Action } from "../public.d.ts";
import { address } from "./address.ts";
import { element } from "./element.ts";

type Content = Action["content"];

/** The call to action: a link when it leads somewhere allowed, a button when it leads nowhere, nothing when it must not. */
export function callToAction({ cta }: Content, clicked: () => void): HTMLElement | undefined {
  if (!cta) return undefined;
  const href = cta.href && address(cta.href);
  if (cta.href && !href) return undefined;
  const made = element(href ? "a" : "button", "cta", cta.label);
  if (href) (made as HTMLAnchorElement).href = href;
  made.onclick = clicked;
  return made;
}

/** The round button in the corner. */
export function closeButton({ dismiss_label }: Content, dismissed: () => void): HTMLElement {
  const made = element("button", "close");
  made.ariaLabel = dismiss_label || "Close";
  made.title = made.ariaLabel;
  made.onclick = dismissed;
  return made;
}
