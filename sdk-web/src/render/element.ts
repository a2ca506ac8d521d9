/** Makes an element with text in it. Text is only ever text: nothing here parses markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
  text?: string | null,
  ...children: (Node | null | undefined)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.className = className;
  if (text) made.textContent = text;
  made.append(...children.filter((child) => child) as Node[]);
  return made;
}
