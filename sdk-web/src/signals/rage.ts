import { track } from "./lent.ts";
import { isRepeated } from "./repeated.ts";

const RAGE_CLICKS = 3;
const RAGE_MS = 1000;
const RAGE_PX = 30;

/** Three clicks on one spot, each soon after the last, where nobody clicks fast on purpose. Told once for each burst. */
export function watchRage(): (event: MouseEvent, clicked: Element, control: boolean, show: () => object) => void {
  let last = { at: -RAGE_MS, x: 0, y: 0, count: 0 };
  return ({ timeStamp, clientX, clientY }, clicked, control, show) => {
    const near = timeStamp - last.at < RAGE_MS && Math.abs(clientX - last.x) + Math.abs(clientY - last.y) < RAGE_PX;
    last = { at: timeStamp, x: clientX, y: clientY, count: near ? last.count + 1 : 1 };
    if (last.count !== RAGE_CLICKS || isRepeated(clicked)) return;
    // Three clicks select a paragraph: that is reading, unless the thing looks as if it could be clicked.
    const reads = String(getSelection()) && !control && getComputedStyle(clicked).cursor !== "pointer";
    if (!reads) track("rage_click", { ...show(), count: last.count });
  };
}
