import { loadRenderer } from "./actions.ts";
import { publish } from "./api.ts";
import { key, signals } from "./config.ts";
import { guard } from "./guard.ts";
import { watchLifecycle } from "./lifecycle.ts";
import { arrive, consent } from "./memory.ts";
import { page, watchHistory } from "./page.ts";
import { watchRequests } from "./signals/requests.ts";
import { track } from "./track.ts";
import { restore } from "./transport.ts";
import { warn } from "./warn.ts";

const WATCHES = [watchLifecycle, watchHistory, watchRequests];

let watching = false;

/** Nothing is watched, and nothing of the page's is touched, before it may be. Whatever fails, the API still works. */
const start = guard(() => {
  if (consent() === false) return;
  if (!watching) {
    watching = true;
    for (const watch of WATCHES) guard(watch)();
    guard(page)();
    import(signals).then(({ watch }) => watch(track), () => {});
  }
  if (!consent()) return;
  restore();
  (window.requestIdleCallback || setTimeout)(() => loadRenderer().catch(() => {}));
});

const calls = window.whyleft?.q;
if (!key) warn("the script tag has no data-key");
// A second copy of the snippet stays out of the way of the first.
else if (!calls || Array.isArray(calls)) {
  arrive();
  start();
  publish(start);
}
