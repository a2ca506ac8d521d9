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
  /** That way leads through a shadow tree, or is a frame's: it ends with the document and its window. */
  deep: boolean;
}

let hit: Hit;

/** What was pressed or clicked. A click is mostly on what was pressed just before, and must cost next to nothing. */
function aim(event: Event, clicked?: boolean): Hit {
  const target = event.target as Element;
  // What was hit in a shadow tree only the event can tell.
  if (clicked && hit?.target === target && !hit.deep) return hit;
  let path: Element[] = [];
  let deep = target.ownerDocument !== document;
  // Whoever has the event make this list each time, and asks each node of it what it is, waits twice as long.
  for (let around: Element | null = target; around; around = around.parentElement) {
    path.push(around);
    deep ||= !!around.shadowRoot;
  }
  // Of what happened before this chunk was here it would be empty.
  deep &&= !!event.eventPhase;
  if (deep) path = event.composedPath() as Element[];
  // In a shadow tree, or in a slot of one, or else the short way.
  const control = deep ? path.find((element) => element.matches?.(ACTIVE)) : target.closest?.(ACTIVE);
  return (hit = { target, control, path, deep });
}

/** Clicks on controls, clicks that nothing came of, angry clicks. */
export function watchClicks(): void {
  // Without it (a page took MutationObserver away) clicks are still clicks.
  const effects = guard(watchEffect)();
  const anger = watchRage();
  const judges: (() => void)[] = [];
  const answered = (): void => {
    frames?.disconnect();
    judges.splice(0).forEach((judge) => judge());
    setTimeout(catchUp);
  };
  // The next frame, at half of what a callback of its own costs: it is told of whatever was not observed before.
  const frames = guard(() => new ResizeObserver(answered))();
  on("pointerdown", (event: PointerEvent) => effects?.press(aim(event)));
  on("click", (event: MouseEvent) => {
    const { target, control, path, deep } = aim(event, true);
    // What is clicked of an action is told by the action.
    if (deep && target.localName === "whyleft-action") return;
    if (!control) return anger(event, path[0]!, false, () => read(path[0]!, path)());
    const masked = isMasked(control, deep);
    const show = read(control, path, masked);
    const { href } = control as HTMLAnchorElement;
    const label = masked ? "" : control.getAttribute("aria-label") || control.textContent!;
    later(() => {
      // Of http, mailto and tel: data made in the page is an address as a whole, and an SVG's is no text.
      track("clicked", { ...show(), label: short(label), ...(/^[hmt]/.test(href) && { href: href.split(/[?#]/)[0] }) });
      anger(event, control, true, show);
    });
    // Of a click before this chunk was here nobody knows what came of it.
    if (effects && event.eventPhase && event.isTrusted) judges.push(effects.judge(event, hit, show));
    // The work itself comes after the frame.
    frames ? frames.observe(document.documentElement) : setTimeout(answered);
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
  return () => (shown ||= { ...described(), ...around() });
}
