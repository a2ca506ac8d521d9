import { address } from "./address.ts";
import type { Content } from "./contract.ts";
import { element } from "./element.ts";

/** Title, text and code, as far as there are any. */
export const words = ({ title, body, code }: Content, name: "h2" | "strong"): (HTMLElement | null)[] => [
  title ? element(name, "", title) : null,
  body ? element("p", "", body) : null,
  code ? element("code", "", code) : null,
];

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
  made.ariaLabel = made.title = dismiss_label || "Close";
  made.onclick = dismissed;
  return made;
}
