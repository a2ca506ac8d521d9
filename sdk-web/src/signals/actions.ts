import type { Answer } from "../core.ts";
import { guard } from "../guard.ts";
import type { Action } from "../public.d.ts";
import type { Happening, Renderer } from "../render/contract.ts";
import { recall, remember } from "../storage.ts";
import { core, track } from "./lent.ts";

// Where storage is blocked, a dismissal holds for the page.
const gone: Record<string, string> = {};
/** The name of the action that is shown, or will be once the renderer is here. */
let shown = "";
let drawn: ReturnType<Renderer["show"]> | undefined;

/** Takes down what no longer fits, and shows what does. */
export const answered = guard(({ action, withdraw, rejected }: Answer) => {
  rejected?.forEach(({ error }) => console.warn("whyleft: " + error));
  if (withdraw?.includes(shown)) drawn?.clear();
  if (action) perform(action);
});

// A page that replaces all that is in it takes the action away with it, and says nothing of that. What it kept of itself and
// shows again, as Turbo and htmx do, has a copy of the element with nothing in it.
const busy = (): boolean => !!shown && drawn?.host.isConnected !== false;

/** Shows what the server answered, unless something is shown already or the visitor sent it away in this visit before. */
const perform = guard((action: Action) => {
  const visit = core.identity().session;
  const name = action.action;
  // Waved away for the visit, in all its tabs.
  const stored = recall<Record<string, string>>("localStorage", "gone", {});
  if (busy() || document.hidden || [stored[name], gone[name]].includes(visit) || core.consent() === false) return;
  for (const listener of core.listeners) if (guard(listener)(action) === false) return;
  shown = name;
  drawn = undefined;
  const report = guard(({ kind, email, agreed, answer }: Happening) => {
    if (kind === "closed") return void (shown = "");
    track("action_" + kind, { decision_id: action.decision_id, action: name, answer });
    if (kind === "dismissed") remember("localStorage", "gone", Object.assign(gone, stored, { [name]: visit }));
    if (email) track("identified", { email });
    if (agreed) track("consent_changed", { marketing: true, channels: ["email"] });
  });
  core.load("render").then(
    guard(({ show }: Renderer) => {
      drawn = show(action, report);
    }),
    () => (shown = ""),
  );
});
