const HEADINGS = "h1,h2,h3,h4,h5,h6";
/** Beyond these a price or a heading belongs to something else. */
const LEVELS = 6;

/** What stands in an element, cut to length; nothing of what is masked. */
function textOf(element: Element | null | undefined): string {
  return !element || element.closest("[data-whyleft-mask]") ? "" : element.textContent!.trim().replace(/\s+/g, " ").slice(0, 80);
}

/** An element and what is around it, but not the page: its first price is no neighbour, and looking for it costs most. */
function surroundings(element: Element): Element[] {
  const found: Element[] = [];
  for (let around: Element | null = element; around && around !== around.ownerDocument.body && found.length < LEVELS; around = around.parentElement)
    found.push(around);
  return found;
}

/** The shop's own name for the section an element is in. */
const named = (element: Element): string | null | undefined => element.closest("[data-section]")?.getAttribute("data-section");

function underHeading(levels: Element[]): string | undefined {
  for (const around of levels) {
    const heading = around.querySelector("h1[id],h2[id],h3[id],h4[id],h5[id],h6[id]");
    if (heading) return heading.id;
  }
  return undefined;
}

/** The section an element is in: the shop's own name for it, or the id of the heading over it. */
export const sectionOf = (element: Element): string | undefined => named(element) || underHeading(surroundings(element));

/** Where on the page something happened: its section, the heading it stands under, the price and the promise beside it. */
export interface Context {
  section?: string;
  heading?: string;
  price?: string;
  promo?: string;
}

/**
 * Remembers where an element is, to be read later when there is time: the page may take it away meanwhile. What is masked is
 * read at once, while it still shows.
 */
export function locate(element: Element): () => Context {
  const levels = surroundings(element);
  const section = named(element);
  const read = (): Context => around(levels, section || underHeading(levels));
  if (!element.closest("[data-whyleft-mask]")) return read;
  const found = read();
  return () => found;
}

function around(levels: Element[], section: string | undefined): Context {
  const found: Context = {};
  if (section) found.section = section;
  for (const around of levels) {
    found.heading ||= textOf(around.querySelector(HEADINGS));
    found.price ||= textOf(around.querySelector("[data-price]"));
    const promo = around.querySelector("[data-promo]");
    found.promo ||= promo?.getAttribute("data-promo") || textOf(promo);
    if (found.heading) break;
  }
  for (const name of ["heading", "price", "promo"] as const) if (!found[name]) delete found[name];
  return found;
}
