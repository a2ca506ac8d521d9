import { guard } from "../guard.ts";
import { locate } from "./context.ts";
import { watchEffect } from "./dead.ts";
import { describe } from "./describe.ts";
import { later, on, track } from "./lent.ts";
import { watchRage } from "./rage.ts";

/** What promises to do something when it is clicked. */
const ACTIVE = "a,button,[role=button],[type=submit],[type=image],[type=button],summary";

/** The innermost element under the pointer, and the control it belongs to. */
interface Hit {
  inner: Element;
  control: Element | undefined;
}

let hit: Hit | undefined;

/** What was pressed or clicked, through shadow trees too. A click is mostly on what was pressed just before. */
function aim(event: Event): Hit {
  const path = event.composedPath() as Element[];
  // An event that happened before this chunk was here has lost its path.
  const inner = path[0] || (event.target as Element);
  if (event.type !== "click" || hit?.inner !== inner) {
    const control = path[0] ? path.find((element) => element.matches?.(ACTIVE)) : inner.closest?.(ACTIVE);
    hit = { inner, control: control || undefined };
  }
  return hit;
}

/** Clicks on controls, clicks that nothing came of, angry clicks. */
export function watchClicks(): void {
  // Without it (a page took MutationObserver away) clicks are still clicks.
  const effects = guard(watchEffect)();
  const anger = watchRage();
  on("pointerdown", (event: PointerEvent) => effects?.press(event, aim(event).control));
  on("click", (event: MouseEvent) => {
    // What is clicked of an action is told by the action.
    if ((event.target as Element).localName === "whyleft-action") return;
    const { inner, control } = aim(event);
    // The page's own handlers come next and may change or remove what was clicked: what they change is read before them.
    const described = describe(control || inner);
    const around = locate(control || inner);
    let shown: object | undefined;
    const show = (): object => (shown ||= { ...described, ...around() });
    if (control) {
      const { href } = control as HTMLAnchorElement;
      const masked = control.closest("[data-whyleft-mask]");
      const label = masked ? "" : (control.getAttribute("aria-label") || control.textContent || "").trim().slice(0, 80);
      later(() => track("clicked", { ...show(), label, ...(href && { href: String(href).split(/[?#]/)[0] }) }));
      // Of a click before this chunk was here nobody knows what came of it.
      if (event.isTrusted && event.eventPhase) effects?.judge(event, control, show);
    }
    anger(event, inner, control, show);
  });
}
