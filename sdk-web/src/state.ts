import { guard } from "./guard.ts";

/** What the page is, and whether it is on its way out. */
export const here: {
  page: { url: string; referrer: string; title: string };
  leaving: boolean;
  /** Records what happened before and was put off: called before anything else is recorded, and before a batch is sent. */
  catchUp?: () => void;
} = {
  page: { url: location.href, referrer: document.referrer, title: document.title },
  leaving: false,
};

/** What wants to have its say before the page is hidden, or (`gone`) left for another. */
export const partings: ((gone: boolean) => void)[] = [];

export const part = (gone: boolean): void => partings.forEach((parting) => guard(parting)(gone));
