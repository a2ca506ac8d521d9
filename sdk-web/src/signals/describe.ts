/** A short selector that survives a redesign: an id, a test or data name, or the tag with its first class. */
export function describe(element: Element): { selector: string; role: string } {
  const { id, localName } = element;
  // Most have few attributes: which, is asked once. Nor for classList: a list is made for whoever asks for it.
  const names = element.getAttributeNames();
  const read = (name: string): string | false | null => names.includes(name) && element.getAttribute(name);
  const own = id || read("data-testid") || read("name");
  const first = own || /\S+/.exec(read("class") || "");
  const selector = id ? "#" + id : own ? `${localName}[${own}]` : first ? `${localName}.${first}` : localName;
  return { selector: selector.slice(0, 200), role: read("role") || localName };
}
