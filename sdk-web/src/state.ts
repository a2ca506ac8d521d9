import { guard } from "./guard.ts";
import { listen } from "./listen.ts";

/**
 * Whether the browser only prepares this page, which nobody may ever see. What is to be done then is done once somebody
 * does.
 */
export const unseen = (then: () => void): unknown =>
  (document as { prerendering?: boolean }).prerendering && (listen(document, "prerenderingchange", then), true);

/** What the page is, and whether it is on its way out. */
export const here: {
  page: { url: string; referrer: string; title: string };
  leaving: boolean;
  /** Records what happened before and was put off: called before anything else is recorded, and before a batch is sent. */
  catchUp?: () => void;
} = {
  page: {} as never,
  leaving: false,
};

/** What wants to have its say before the page is hidden, or (`gone`) left for another. */
export const partings: ((gone: boolean) => void)[] = [];

export const part = (gone: boolean): void => partings.forEach((parting) => guard(parting)(gone));
