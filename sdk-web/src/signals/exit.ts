import { listen } from "../listen.ts";
import { on, track } from "./lent.ts";

const EDGE_PX = 20;
const QUIET_MS = 10_000;
/** The fling back to the top with which a phone's address bar is brought up. */
const FLING_PX = 600;
const FLING_MS = 400;

let latest = -QUIET_MS;
let turn = { y: 0, at: 0 };

/** The pointer leaves over the top edge, towards the tabs and the address bar; on a phone, a fast scroll up. */
export function watchExit(): void {
  on("mouseout", ({ clientY, relatedTarget, timeStamp }: MouseEvent) => {
    if (!relatedTarget && clientY <= EDGE_PX) leaves("pointer", timeStamp);
  });
  if (!matchMedia("(hover:none)").matches) return;
  listen(document, "scroll", ({ timeStamp }) => {
    if (scrollY >= turn.y || timeStamp - turn.at > FLING_MS) turn = { y: scrollY, at: timeStamp };
    else if (turn.y - scrollY > FLING_PX) leaves("scroll", timeStamp);
  });
}

function leaves(kind: string, at: number): void {
  if (at - latest < QUIET_MS) return;
  latest = at;
  track("exit_intent", { kind });
}
