import type { Action } from "../public.d.ts";

/** What became of an action. `closed` comes last, always. */
export interface Happening {
  kind: "shown" | "clicked" | "dismissed" | "closed";
  email?: string;
  /** The visitor ticked the consent box. */
  agreed?: boolean;
}

export interface Renderer {
  show(action: Action, report: (happening: Happening) => void): void;
}
