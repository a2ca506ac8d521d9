import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { hand } from "./lent.ts";

const TYPES = "pointerdown click auxclick focusin focusout input submit error unhandledrejection copy mouseover pagehide";

/** Pages of the same origin inside this one belong to the visit: what happens in them is heard as if it were out here. */
export function watchFrames(): void {
  // One function for all: a frame's first, empty page may share its window with the real one, and must not be heard twice.
  const enter = guard(({ contentWindow }: HTMLIFrameElement) => {
    // Throws for a page of another origin, which is none of our business.
    for (const type of TYPES.split(" ")) contentWindow!.addEventListener(type, hand, true);
  });
  document.querySelectorAll("iframe").forEach(enter);
  listen(document, "load", ({ target }) => {
    if ((target as Element).localName === "iframe") enter(target as HTMLIFrameElement);
  });
}
