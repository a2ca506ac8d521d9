/** A short selector that survives a redesign: an id, a test or data name, or the tag with its first class. */
export function describe(element: Element): { selector: string; role: string } {
  const { id, localName } = element;
  const own = id || element.getAttribute("data-testid") || element.getAttribute("name");
  // Not classList: a list is made for whoever asks for it.
  const classes = own || element.getAttribute("class");
  const first = !own && classes && /\S+/.exec(classes);
  const selector = id ? "#" + id : own ? `${localName}[${own}]` : first ? `${localName}.${first}` : localName;
  return { selector: selector.slice(0, 200), role: element.getAttribute("role") || localName };
}
