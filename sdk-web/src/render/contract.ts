import type { Action } from "../public.d.ts";
import type { Stage } from "./stage.ts";

export type Content = Action["content"];

/** What became of an action. `closed` comes last, always. */
export interface Happening {
  kind: "shown" | "clicked" | "dismissed" | "closed";
  email?: string;
  /** The visitor ticked the consent box. */
  agreed?: boolean;
  /** What they chose, wrote or went to. */
  answer?: string;
}

export type Report = (happening: Happening) => void;

/** Draws content on a stage and tells what becomes of it. */
export type Template = (stage: Stage, content: Content, report: Report) => void;

export interface Renderer {
  /** Returns the stage that it was drawn on. */
  show(action: Action, report: Report): Stage;
}
