/** What the shop marked, and what somebody may have written: React keeps the text of a textarea in it, too. */
export const MASKED = "[data-whyleft-mask],textarea,[contenteditable]:not([contenteditable=false])";
const HEADINGS = "h1,h2,h3,h4,h5,h6";
/** Beyond these a price or a heading belongs to something else. */
const LEVELS = 6;

/** Something in this element, it, or what it is in is masked. */
export function isMasked(element: Element, shadowed = true): boolean {
  if (element.closest(MASKED) || (element.firstElementChild && element.querySelector(MASKED))) return true;
  const { host } = (shadowed ? element.getRootNode() : {}) as ShadowRoot;
  return !!host && isMasked(host);
}

/** A text in one line, cut to length. */
export const short = (text: string): string => text.trim().replace(/\s+/g, " ").slice(0, 80);

const textOf = (element: Element | null): string | undefined =>
  !element || isMasked(element) ? undefined : short(element.textContent!) || undefined;

/** An element and all that it is in. */
function ancestors(element: Element): Element[] {
  const found: Element[] = [];
  for (let around: Element | null = element; around; around = around.parentElement) found.push(around);
  return found;
}

/** An element and what is around it, but not the page: its first price is no neighbour, and looking for it costs most. */
function surroundings(element: Element, path: Element[]): Element[] {
  const within = path.slice(path.indexOf(element)).filter(({ localName }) => localName && !/^(body|html)$/.test(localName));
  return within.slice(0, LEVELS);
}

/** The section that these levels are in: the shop's own name for it, or the id of the heading over them. */
function sectionAround(levels: Element[]): string | undefined {
  // A level that the page took away meanwhile no longer leads up to the section; the next one does.
  for (const around of levels) {
    const section = around.closest("[data-section]")?.getAttribute("data-section");
    if (section) return section;
  }
  for (const around of levels) {
    const heading = around.querySelector("h1[id],h2[id],h3[id],h4[id],h5[id],h6[id]");
    if (heading) return heading.id;
  }
  return undefined;
}

/** The section an element is in. */
export const sectionOf = (element: Element): string | undefined => sectionAround(surroundings(element, ancestors(element)));

/** Where on the page something happened: its section, the heading it stands under, the price and the promise beside it. */
export interface Context {
  section?: string | undefined;
  heading?: string | undefined;
  price?: string | undefined;
  promo?: string | undefined;
}

/**
 * Remembers where an element is, to be read later when there is time: the page may take it away meanwhile. What is masked is
 * read at once, while it still shows. `path` is the way up from the element, or from something in it.
 */
export function locate(element: Element, path = ancestors(element), masked = isMasked(element)): () => Context {
  const read = (): Context => around(surroundings(element, path));
  if (!masked) return read;
  const found = read();
  return () => found;
}

function around(levels: Element[]): Context {
  const found: Context = { section: sectionAround(levels) };
  for (const around of levels) {
    found.heading ||= textOf(around.querySelector(HEADINGS));
    found.price ||= textOf(around.querySelector("[data-price]"));
    const promo = around.querySelector("[data-promo]");
    found.promo ||= promo?.getAttribute("data-promo") || textOf(promo);
    if (found.heading) break;
  }
  return found;
}
