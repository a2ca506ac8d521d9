import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { core, on, record, track } from "./lent.ts";

const WORTH_MS = 3_000;
/** Every three seconds at first, when a decision may wait for it; later less and less often. */
const RAREST_MS = 30_000;

let since = 0;
let fresh = 0;
let wait = WORTH_MS;
let timer: ReturnType<typeof setTimeout>;

/** The time that the page was visible and had the focus, in portions: each event says how much is new. */
export function watchEngagement(): void {
  listen(document, "visibilitychange", settle);
  // Not early, as others are heard: then the focus of each element would be heard, too.
  for (const type of ["focus", "blur"]) addEventListener(type, guard(settle));
  on("page", () => {
    wait = WORTH_MS;
    settle();
  });
  core.partings.push(() => {
    settle();
    if (fresh >= WORTH_MS) {
      record("engaged", { ms: Math.round(fresh) });
      fresh = 0;
    }
  });
}

function settle(): void {
  const at = performance.now();
  if (since) fresh += at - since;
  since = !document.hidden && document.hasFocus() ? at : 0;
  clearTimeout(timer);
  if (since) timer = setTimeout(tell, Math.max(wait - fresh, 100));
}

function tell(): void {
  // A laptop that slept for an hour was not looked at for an hour.
  fresh = Math.min(fresh + performance.now() - since, 2 * wait);
  since = 0;
  if (fresh >= wait - 1) {
    track("engaged", { ms: Math.round(fresh) });
    fresh = 0;
    wait = Math.min(2 * wait, RAREST_MS);
  }
  settle();
}
