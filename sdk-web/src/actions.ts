import { renderer } from "./config.ts";
import { guard } from "./guard.ts";
import { consent, recall, remember } from "./memory.ts";
import type { Action } from "./public.d.ts";
import type { Happening, Renderer } from "./render/contract.ts";
import { track } from "./track.ts";

/** Pages that want to hear of an action before it is drawn, or draw it themselves. */
export const listeners: ((action: Action) => boolean | void)[] = [];

let showing = false;
let loading: Promise<Renderer> | undefined;

/** Fetches the chunk that draws; once. */
export const loadRenderer = (): Promise<Renderer> => (loading ||= import(renderer));

/** Shows what the server answered, unless something is shown already or the visitor sent it away before. */
export const perform = guard((action: Action) => {
  const gone = recall<Record<string, number>>("sessionStorage", "gone", {});
  if (showing || gone[action.action] || consent() === false) return;
  for (const listener of listeners) if (listener(action) === false) return;
  showing = true;
  const { decision_id, action: name } = action;
  const report = guard(({ kind, email, agreed }: Happening) => {
    if (kind === "closed") return void (showing = false);
    track("action_" + kind, { decision_id, action: name });
    if (kind === "dismissed") remember("sessionStorage", "gone", { ...gone, [name]: 1 });
    if (email) track("identified", { email });
    if (agreed) track("consent_changed", { marketing: true, channels: ["email"] });
  });
  loadRenderer().then(
    guard(({ show }: Renderer) => show(action, report)),
    () => {
      loading = undefined;
      showing = false;
    },
  );
});
