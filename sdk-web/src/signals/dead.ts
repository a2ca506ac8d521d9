import { listen } from "../listen.ts";
import { patch } from "../patch.ts";
import { guard } from "../guard.ts";
import type { Hit } from "./clicks.ts";
import { isClosed, isRepeated } from "./repeated.ts";
import { on, track } from "./lent.ts";

const DEAD_MS = 2500;
/** Scrolling or selecting that comes later than this after the second next frame has another reason. */
const AT_ONCE_MS = 100;
/** A handler that holds the page up this long asked the visitor something, or worked. */
const BUSY_MS = 250;
const FIELDS = 150;
/** By then a page, or a route, has its fields. */
const THERE_MS = 500;

const CHANGES = { subtree: true, childList: true, attributes: true, characterData: true };

interface Destination {
  destination: { url: string; sameDocument: boolean };
}

/**
 * Judges clicks: one is dead when nothing on the page changes after it, nothing moves, and it leads nowhere. The wait
 * begins when the button goes down, since a menu may open then. Returns what to do when a
 * pointer goes down, and with a click on a control; the latter returns what to do in the next frame.
 */
export function watchEffect(): {
  press(hit: Hit): void;
  judge(event: MouseEvent, hit: Hit, show: () => object): () => void;
} {
  let pressed = -DEAD_MS;
  let aimed = false;
  let changed = 0;
  let soon = 0;
  let target: Element | null = null;
  let values = "";

  let observing = false;

  const lives = (): void => {
    changed = performance.now();
    observer.disconnect();
    observing = false;
  };
  const observe = (tree: Node): void => observer.observe(tree, CHANGES);
  const observer = new MutationObserver(lives);
  const press = (hit: Hit): void => {
    target = hit.target;
    aimed = !!hit.control;
    // What makes no promise is not judged.
    if (!aimed) return;
    // By the page's own clock: a frame's began when the frame did.
    pressed = performance.now();
    values = fieldValues();
    if (!observing) observe(document);
    observing = true;
    // Shadow trees, and the document of a frame, are observed on their own.
    if (hit.deep) hit.path.filter(({ nodeType }) => nodeType > 8).forEach(observe);
  };

  // Of a press that promised nothing nothing comes.
  const atOnce = (): boolean => aimed && (!!soon || performance.now() - pressed < AT_ONCE_MS);
  listen(document, "scroll", () => atOnce() && lives());
  on("selectionchange", () => {
    if (!atOnce()) return;
    // A click on words puts the caret there, three select them: neither is an effect.
    const selection = getSelection()!;
    if (!selection.isCollapsed && String(selection) && !selection.containsNode(target!, true)) lives();
  });
  // What was pressed, or what it is in, takes the focus when it is pressed: that is no effect.
  on("focusin", (event) => (event.target as Node).contains(target) || lives());
  on("input submit copy page pagehide", lives);
  // What is told to an element is caught on its way through the window.
  for (const type of "toggle play pause fullscreenchange beforeprint pagehide beforeunload".split(" ")) listen(window, type, lives);
  // The window's own: that an element loses the focus to what is pressed is no effect either.
  addEventListener("blur", lives);
  listen((window as { navigation?: EventTarget }).navigation, "navigate", ({ destination }: Event & Destination) => {
    if (!destination.sameDocument || bare(destination.url) !== bare(location.href)) lives();
  });
  guard(patch)(window, "open", lives);

  findFields();
  on("page", () => setTimeout(guard(findFields), THERE_MS));

  const judge = (event: MouseEvent, hit: Hit, show: () => object): (() => void) => {
    const control = hit.control!;
    const clickedAt = performance.now();
    // A key, not a pointer, or a press long ago or elsewhere.
    if (!aimed || clickedAt - pressed > DEAD_MS || !event.detail) press(hit);
    const from = pressed;
    const before = values;
    soon++;
    return guard(() => {
      const verdict = (): void => {
        // Looked at last and seldom: a click must not wait for it.
        const meant = (): boolean =>
          leadsElsewhere(event, control) ||
          isRepeated(control) ||
          [...control.querySelectorAll("*")].some(isClosed) ||
          !!control.closest("[disabled],[aria-disabled=true]");
        // New fields among them are something new, too.
        findFields();
        if (changed < from && !document.hidden && before === fieldValues() && !meant()) track("dead_click", show());
      };
      const spent = performance.now() - from;
      if (performance.now() - clickedAt > BUSY_MS) lives();
      requestAnimationFrame(() => setTimeout(() => soon--, AT_ONCE_MS));
      setTimeout(guard(verdict), DEAD_MS - spent);
    });
  };
  return { press, judge };
}

/** Into another tab or window, to a file, or to another program. */
function leadsElsewhere(event: MouseEvent, control: Element): boolean {
  const { href, target, protocol } = control as HTMLAnchorElement;
  const elsewhere = (target && target !== "_self") || control.hasAttribute("download") || event.ctrlKey || event.metaKey || event.shiftKey;
  return !!href && (!!elsewhere || !/^(http|javascript)/.test(protocol || "http"));
}

const bare = (url: string): string => url.replace(/#$/, "");

let fields: HTMLInputElement[] = [];

/** Looking through a page of 20,000 elements at every press would cost more than all else here. */
function findFields(): void {
  fields = Array.prototype.slice.call(document.querySelectorAll("input,select,textarea"), 0, FIELDS) as HTMLInputElement[];
}

/** Values change without any mutation. Compared here, and kept nowhere. */
const fieldValues = (): string => (fields[0] ? fields.map(({ value, checked }) => value + checked) + "" : "");
