/** A short selector that survives a redesign: an id, a test or data name, or the tag with its first class. */
export function describe(element: Element): { selector: string; role: string } {
  const { id, tagName, classList } = element;
  const tag = tagName.toLowerCase();
  const own = element.getAttribute("data-testid") || element.getAttribute("name");
  const selector = id ? "#" + id : own ? `${tag}[${own}]` : classList[0] ? `${tag}.${classList[0]}` : tag;
  return { selector: selector.slice(0, 200), role: element.getAttribute("role") || tag };
}
