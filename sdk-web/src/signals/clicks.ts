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
  control: Element | null | undefined;
  path: Element[];
  /** What of that way is no element: shadow trees, then the document and its window. */
  trees: Node[];
}

let hit: Hit;

/** What was pressed or clicked. A click is mostly on what was pressed just before, and must cost next to nothing. */
function aim(event: Event, clicked?: boolean): Hit {
  const target = event.target as Element;
  // What was hit in a shadow tree only the event can tell.
  if (clicked && hit?.target === target && !target.shadowRoot) return hit;
  // Of an event that happened before this chunk was here both are empty.
  const path = event.composedPath() as Element[];
  const trees = path.filter(({ matches }) => !matches);
  // In a shadow tree, or in a slot of one, or else the short way.
  const control = trees[2] ? path.find((element) => element.matches?.(ACTIVE)) : target.closest?.(ACTIVE);
  return (hit = { target, control, path, trees });
}

/** Clicks on controls, clicks that nothing came of, angry clicks. */
export function watchClicks(): void {
  // Without it (a page took MutationObserver away) clicks are still clicks.
  const effects = guard(watchEffect)();
  const anger = watchRage();
  on("pointerdown", (event: PointerEvent) => effects?.press(event, aim(event)));
  on("click", (event: MouseEvent) => {
    const { target, control, path, trees } = aim(event, true);
    // What is clicked of an action is told by the action.
    if (trees[2] && target.localName === "whyleft-action") return;
    if (!control) return anger(event, path[0] || target, false, () => read(path[0] || target, path)());
    const masked = isMasked(control, trees.length !== 2);
    const show = read(control, path, masked);
    const { href } = control as HTMLAnchorElement;
    const label = masked ? "" : control.getAttribute("aria-label") || control.textContent!;
    later(() => {
      track("clicked", { ...show(), label: short(label), ...(href && { href: String(href).split(/[?#]/)[0] }) });
      anger(event, control, true, show);
    });
    // Of a click before this chunk was here nobody knows what came of it.
    const judge = path[0] && event.isTrusted && effects?.judge(event, hit, show);
    // A frame costs a quarter of what a timer costs that wakes the page. The work itself comes after the frame.
    requestAnimationFrame(() => {
      if (judge) judge();
      setTimeout(catchUp);
    });
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
