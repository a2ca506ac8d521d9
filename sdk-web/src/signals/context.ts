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

/** The section an element is in: the shop's own name for it, or the id of the heading over it. */
export function sectionOf(element: Element): string | undefined {
  const named = element.closest("[data-section]")?.getAttribute("data-section");
  if (named) return named;
  for (const around of surroundings(element)) {
    const heading = around.querySelector("h1[id],h2[id],h3[id],h4[id],h5[id],h6[id]");
    if (heading) return heading.id;
  }
  return undefined;
}

/** Where on the page something happened: its section, the heading it stands under, the price and the promise beside it. */
export function context(element: Element): { section?: string; heading?: string; price?: string; promo?: string } {
  const found: ReturnType<typeof context> = {};
  const section = sectionOf(element);
  if (section) found.section = section;
  for (const around of surroundings(element)) {
    found.heading ||= textOf(around.querySelector(HEADINGS));
    found.price ||= textOf(around.querySelector("[data-price]"));
    const promo = around.querySelector("[data-promo]");
    found.promo ||= promo?.getAttribute("data-promo") || textOf(promo);
    if (found.heading) break;
  }
  for (const name of ["heading", "price", "promo"] as const) if (!found[name]) delete found[name];
  return found;
}
