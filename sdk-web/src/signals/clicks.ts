import { guard } from "../guard.ts";
import { isMasked, locate, short } from "./context.ts";
import { watchEffect } from "./dead.ts";
import { describe } from "./describe.ts";
import { catchUp, later, on, track } from "./lent.ts";
import { watchRage } from "./rage.ts";

/** What promises to do something when it is clicked. */
const ACTIVE = "a,button,[role=button],[type=submit],[type=image],[type=button],summary";

/** What was hit as the window sees it, the control it belongs to, and the way up from the innermost element. */
export interface Hit {
  target: Element;
  control?: Element | null | undefined;
  path: Element[];
}

let hit: Hit;

const isShadow = ({ nodeType }: Node): boolean => nodeType > 10;

/** What was pressed or clicked. A click is mostly on what was pressed just before, and must cost next to nothing. */
function aim(event: Event, target = event.target as Element): Hit {
  const clicked = event.type === "click";
  // An event that happened before this chunk was here has lost its path.
  const hidden = target.shadowRoot && event.eventPhase;
  if (!clicked || hidden || hit?.target !== target) hit = { target, control: hidden ? null : target.closest?.(ACTIVE), path: [] };
  if (!hit.path[0] && (clicked || hidden || hit.control)) {
    hit.path = event.composedPath() as Element[];
    // In a shadow tree, or in a slot of one.
    if (!hit.control && hit.path.some(isShadow)) hit.control = hit.path.find((element) => element.matches?.(ACTIVE));
  }
  return hit;
}

/** Clicks on controls, clicks that nothing came of, angry clicks. */
export function watchClicks(): void {
  // Without it (a page took MutationObserver away) clicks are still clicks.
  const effects = guard(watchEffect)();
  const anger = watchRage();
  on("pointerdown", (event: PointerEvent) => effects?.press(event, aim(event)));
  on("click", (event: MouseEvent) => {
    const { target, control, path } = aim(event);
    // What is clicked of an action is told by the action.
    if (target.localName === "whyleft-action") return;
    const inner = control || path[0] || target;
    let show = (): object => read(inner, path)();
    if (control) {
      const masked = isMasked(control);
      show = read(control, path, masked);
      const { href } = control as HTMLAnchorElement;
      const label = masked ? "" : short(control.getAttribute("aria-label") || control.textContent!);
      later(() => track("clicked", { ...show(), label, ...(href && { href: String(href).split(/[?#]/)[0] }) }));
      // Of a click before this chunk was here nobody knows what came of it.
      const judge = event.isTrusted && event.eventPhase && effects?.judge(event, hit, show);
      // One timer for all: making one costs more than anything else here.
      setTimeout(() => {
        catchUp();
        if (judge) judge();
      });
    }
    anger(event, inner, !!control, show);
  });
}

/**
 * What an event says of an element and its surroundings. The page's own handlers come next and may change or remove what
 * was clicked: what they change is read before them.
 */
function read(element: Element, path: Element[], masked?: boolean): () => object {
  const described = describe(element);
  const around = locate(element, path, masked);
  let shown: object | undefined;
  return () => (shown ||= { ...described, ...around() });
}
