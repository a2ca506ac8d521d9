import { guard } from "../guard.ts";
import { afterBurst } from "./burst.ts";
import { MASKED, sectionOf } from "./context.ts";
import { on, track } from "./lent.ts";

const SETTLE_MS = 500;
/** A double click on a button selects a letter or two. */
const LEAST = 3;

let told: Node | null = null;

/** That text was copied or selected, and in which section; never the text. */
export function watchText(): void {
  on("copy", () => say("text_copied"));
  const selected = (): void => {
    const { anchorNode, isCollapsed } = getSelection()!;
    if (isCollapsed) told = null;
    else if (anchorNode !== told && String(getSelection()).trim().length >= LEAST) {
      told = anchorNode;
      say("text_selected");
    }
  };
  on("selectionchange", afterBurst(SETTLE_MS, guard(selected)));
}

function say(type: string): void {
  const node = getSelection()!.anchorNode;
  const element = node instanceof Element ? node : node?.parentElement;
  const own = "input," + MASKED;
  // Of what is selected in a field, the selection only knows the field's surroundings.
  if (element?.closest(own) || document.activeElement?.matches(own)) return;
  const section = element && sectionOf(element);
  track(type, section ? { section } : {});
}
