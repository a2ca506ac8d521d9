import { on, track } from "./lent.ts";

const EDGE_PX = 20;
const QUIET_MS = 10_000;

let latest = -QUIET_MS;

/** The pointer leaves over the top edge, towards the tabs and the address bar. */
export function watchExit(): void {
  on("mouseout", ({ clientY, relatedTarget, timeStamp }: MouseEvent) => {
    if (relatedTarget || clientY > EDGE_PX || timeStamp - latest < QUIET_MS) return;
    latest = timeStamp;
    track("exit_intent", { kind: "pointer" });
  });
}
