import { guard } from "../guard.ts";
import { context } from "./context.ts";
import { watchEffect } from "./dead.ts";
import { describe } from "./describe.ts";
import { on, track } from "./lent.ts";
import { watchRage } from "./rage.ts";

/** What promises to do something when it is clicked. */
const ACTIVE = "a,button,[role=button],[type=submit],[type=image],[type=button],summary";

/** What was clicked, through shadow trees too: the innermost element, and the control it belongs to. */
export function clicked(event: Event): { inner: Element; control: Element | undefined } {
  const path = event.composedPath() as Element[];
  // An event that happened before this chunk was here has lost its path.
  const inner = path[0] || (event.target as Element);
  const control = path[0] ? path.find((element) => element.matches?.(ACTIVE)) : inner.closest?.(ACTIVE);
  return { inner, control: control || undefined };
}

/** Clicks on controls, clicks that nothing came of, angry clicks. */
export function watchClicks(): void {
  // Without it (a page took MutationObserver away) clicks are still clicks.
  const effects = guard(watchEffect)();
  const anger = watchRage();
  on("click", (event: MouseEvent) => {
    // What is clicked of an action is told by the action.
    if ((event.target as Element).localName === "whyleft-action") return;
    const { inner, control } = clicked(event);
    const show = (): object => ({ ...describe(control || inner), ...context(control || inner) });
    if (control) {
      const shown = show();
      const { href } = control as HTMLAnchorElement;
      const masked = control.closest("[data-whyleft-mask]");
      const label = masked ? "" : (control.getAttribute("aria-label") || control.textContent || "").trim().slice(0, 80);
      track("clicked", { ...shown, label, ...(href && { href: String(href).split(/[?#]/)[0] }) });
      // Of a click before this chunk was here nobody knows what came of it.
      if (event.isTrusted && event.eventPhase) effects?.(event, control, shown);
    }
    anger(event, inner, control, show);
  });
}
