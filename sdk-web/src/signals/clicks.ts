import { listen } from "../listen.ts";
import { track } from "./report.ts";
import { describe } from "./describe.ts";

const RAGE_CLICKS = 3;
const RAGE_MS = 1000;
const RAGE_PX = 30;
const DEAD_MS = 2500;

const ACTIVE = "a,button,[role=button],[type=submit]";
/** Things people click fast on purpose. */
const REPEATED = "input,select,textarea,video,audio,[contenteditable],[data-stepper],[aria-label*=uantity],[class*=qty],[class*=step]";
const STEPPER_TEXT = /^[\s+−–<>‹›«»-]*$|^(next|prev)/i;

let last = { at: 0, x: 0, y: 0, count: 0 };

/** Clicks, angry clicks, and clicks that nothing came of. */
export function watchClicks(): void {
  listen(document, "click", (event: MouseEvent) => {
    const target = event.target as Element;
    const element = target.closest?.(ACTIVE);
    const shown = describe(element || target);
    if (element) {
      const masked = element.closest("[data-whyleft-mask]");
      const label = masked ? "" : (element.getAttribute("aria-label") || element.textContent || "").trim().slice(0, 80);
      const { href } = element as HTMLAnchorElement;
      track("clicked", { ...shown, label, ...(href && { href: String(href).split(/[?#]/)[0] }) });
      if (!href && event.isTrusted) watchEffect(shown);
    }
    rage(event, target, shown);
  });
}

function rage({ timeStamp, clientX, clientY }: MouseEvent, target: Element, shown: object): void {
  const near = timeStamp - last.at < RAGE_MS && Math.abs(clientX - last.x) + Math.abs(clientY - last.y) < RAGE_PX;
  last = { at: timeStamp, x: clientX, y: clientY, count: near ? last.count + 1 : 1 };
  const meant = target.closest(REPEATED) || STEPPER_TEXT.test((target.closest(ACTIVE) || target).textContent || "x");
  if (last.count === RAGE_CLICKS && !meant) track("rage_click", { ...shown, count: last.count });
}

/** A click is dead when nothing on the page changes after it, nothing moves, and nothing is asked of a server. */
function watchEffect(shown: object): void {
  const types = "scroll selectionchange focusin input toggle";
  const requests = countRequests();
  const { href } = location;
  let alive = false;
  const lives = (): void => void (alive = true);
  const observer = new MutationObserver(lives);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  const stop = new AbortController();
  for (const type of types.split(" ")) document.addEventListener(type, lives, { capture: true, signal: stop.signal });
  setTimeout(() => {
    observer.disconnect();
    stop.abort();
    const asked = countRequests() > requests;
    if (!alive && !asked && !document.hidden && location.href === href) track("dead_click", shown);
  }, DEAD_MS);
}

/** What the page asked of servers so far; our own batches are no effect of a click. */
const countRequests = (): number =>
  performance.getEntriesByType("resource").filter(({ name }) => !name.includes("/v1/events?key=")).length;
