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
  /** Shadow trees on that way, and the document. */
  trees: Node[];
}

let hit: Hit;

/** What was pressed or clicked. A click is mostly on what was pressed just before, and must cost next to nothing. */
function aim(event: Event, clicked?: boolean): Hit {
  const target = event.target as Element;
  // An event that happened before this chunk was here has lost its path.
  const hidden = target.shadowRoot && event.eventPhase;
  if (!clicked || hidden || hit?.target !== target) hit = { target, control: hidden ? null : target.closest?.(ACTIVE), path: [], trees: [] };
  if (!hit.path[0] && (clicked || hidden || hit.control)) {
    hit.path = event.composedPath() as Element[];
    // Asking each node what it is would cost more than all else here. The page of a frame has classes of its own.
    const { document: page, ShadowRoot } = ((event as UIEvent).view || window) as typeof window;
    hit.trees = hit.path.filter((node) => (node as Node) === page || node instanceof ShadowRoot);
    // In a shadow tree, or in a slot of one.
    if (!hit.control && hit.trees[1]) hit.control = hit.path.find((element) => element.matches?.(ACTIVE));
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
    const { target, control, path } = aim(event, true);
    // What is clicked of an action is told by the action.
    if (target.localName === "whyleft-action") return;
    const inner = control || path[0] || target;
    let show = (): object => read(inner, path)();
    if (control) {
      const masked = isMasked(control);
      show = read(control, path, masked);
      const { href } = control as HTMLAnchorElement;
      const label = masked ? "" : control.getAttribute("aria-label") || control.textContent!;
      later(() => track("clicked", { ...show(), label: short(label), ...(href && { href: String(href).split(/[?#]/)[0] }) }));
      // Of a click before this chunk was here nobody knows what came of it.
      const judge = event.isTrusted && event.eventPhase && effects?.judge(event, hit, show);
      // A frame costs a quarter of what a timer costs that wakes the page. The work itself comes after the frame.
      requestAnimationFrame(() => {
        if (judge) judge();
        setTimeout(catchUp);
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
