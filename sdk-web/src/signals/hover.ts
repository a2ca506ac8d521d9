import { on, track } from "./lent.ts";
import { locate } from "./context.ts";
import { describe } from "./describe.ts";

const HESITATION_MS = 2000;
const WORTH = "[data-price],[data-cta]";

let timer: ReturnType<typeof setTimeout>;
let over: Element | null = null;

/** The pointer rests on a price or a call to action, and does not click. */
export function watchHover(): void {
  on("mouseover", ({ target }) => {
    const element = (target as Element).closest?.(WORTH);
    if (element === over) return;
    clearTimeout(timer);
    if (!(over = element)) return;
    timer = setTimeout(() => {
      const around = locate(element)();
      if (element.matches("[data-price]")) around.section = "price";
      track("hover_hesitation", { ...describe(element)(), ...around, ms: HESITATION_MS });
    }, HESITATION_MS);
  });
  on("click", () => clearTimeout(timer));
}
