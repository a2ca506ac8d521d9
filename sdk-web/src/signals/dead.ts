import { listen } from "../listen.ts";
import { patch } from "../patch.ts";
import { guard } from "../guard.ts";
import { isRepeated } from "./repeated.ts";
import { on, track } from "./lent.ts";

const DEAD_MS = 2500;
/** Scrolling or selecting that comes later has another reason. */
const AT_ONCE_MS = 100;
/** A handler that holds the page up this long asked the visitor something, or worked. */
const BUSY_MS = 250;
const FIELDS = 50;

interface Destination {
  destination: { url: string; sameDocument: boolean };
}

/**
 * Judges clicks: one is dead when nothing on the page changes after it, nothing moves, and it leads nowhere. The wait
 * begins when the button goes down, since a menu may open then. Returns what to do with a click on a control.
 */
export function watchEffect(): (event: MouseEvent, control: Element, shown: object) => void {
  let pressed = -1;
  let changed = 0;
  let path: EventTarget[] = [];
  let values = "";

  const lives = (): void => {
    changed = performance.now();
    observer.disconnect();
  };
  const observer = new MutationObserver(lives);
  const press = (event: Event): void => {
    pressed = event.timeStamp;
    path = event.composedPath();
    values = fieldValues();
    for (const root of [document, ...path.filter((node) => node instanceof ShadowRoot)] as Node[])
      observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  };

  on("pointerdown", press);
  listen(document, "scroll selectionchange", () => performance.now() - pressed < AT_ONCE_MS && lives());
  // The control itself takes the focus when it is pressed: that is no effect.
  on("focusin", ({ target }) => path.includes(target!) || lives());
  on("input submit copy page", lives);
  listen(document, "toggle play pause fullscreenchange", lives);
  listen(window, "blur beforeprint pagehide beforeunload", lives);
  listen((window as { navigation?: EventTarget }).navigation, "navigate", ({ destination }: Event & Destination) => {
    if (!destination.sameDocument || bare(destination.url) !== bare(location.href)) lives();
  });
  guard(patch)(window, "open", lives);

  return (event, control, shown) => {
    const { href = "", target = "", protocol = "http" } = control as HTMLAnchorElement;
    const elsewhere = (target && target !== "_self") || control.hasAttribute("download") || event.ctrlKey || event.metaKey || event.shiftKey;
    if (href && (elsewhere || !/^(http|javascript)/.test(protocol))) return;
    if (isRepeated(control) || control.closest("[disabled],[aria-disabled=true]")) return;
    // A key, not a pointer, or a press long ago.
    if (event.timeStamp - pressed > DEAD_MS || !event.detail) press(event);
    const from = pressed;
    const before = values;
    const clickedAt = performance.now();
    pressed = Math.max(pressed, event.timeStamp - 1);
    setTimeout(() => performance.now() - clickedAt > BUSY_MS && lives());
    setTimeout(
      guard(() => {
        if (changed < from && !document.hidden && before === fieldValues()) track("dead_click", shown);
        if (performance.now() - pressed >= DEAD_MS) observer.disconnect();
      }),
      DEAD_MS - (clickedAt - from),
    );
  };
}

const bare = (url: string): string => url.replace(/#$/, "");

/** Values change without any mutation. Compared here, and kept nowhere. */
function fieldValues(): string {
  const fields = [...document.querySelectorAll<HTMLInputElement>("input,select,textarea")].slice(0, FIELDS);
  return fields.map(({ value, checked }) => value + checked).join();
}
