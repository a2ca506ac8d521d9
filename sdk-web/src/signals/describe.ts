/**
 * A short selector that survives a redesign: an id, a test or data name, or the tag with its first class. What the page may
 * change is read at once, and made a description of when that is asked for.
 */
export function describe(element: Element): () => { selector: string; role: string } {
  // Most have few attributes: which, is asked once. Nor for classList: a list is made for whoever asks for it.
  const names = element.getAttributeNames();
  const values = names.map((name) => element.getAttribute(name));
  const read = (name: string): string => values[names.indexOf(name)] || "";
  return () => {
    const { localName } = element;
    const id = read("id");
    const own = read("data-testid") || read("name");
    const first = /\S+/.exec(read("class"));
    const selector = id ? "#" + id : localName + (own ? `[${own}]` : first ? "." + first : "");
    return { selector: selector.slice(0, 200), role: read("role") || localName };
  };
}
