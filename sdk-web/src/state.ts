/** What the page is, and whether it is on its way out. */
export const here = {
  page: { url: location.href, referrer: document.referrer, title: document.title },
  leaving: false,
};

/** What wants to have its say before the page is hidden or left. */
export const partings: (() => void)[] = [];
