/** Things people click fast on purpose: by what they are, by what they say, by what their makers call them. */
const KINDS =
  "input:not([type=submit],[type=button],[type=image]),select,textarea,video,audio,[contenteditable]:not([contenteditable=false]),[data-stepper],[role=spinbutton],[role=slider]";
const SAYS =
  /^\s*([+−–—<>‹›«»←→↑↓▲▼▶◀⏸⏯-]+|(next|prev(ious)?)( (slide|image|photo|picture|page|item|product|month))?|(play|pause|(un)?mute|rewind|skip|volume)\b.*|(in|de)crease\b.*)\s*$/i;
const CALLED = /qty|quantity|stepper|spinner|(in|de)crement|(in|de)crease|(carousel|slider|slick|swiper|splide|glide|gallery)\S*(next|prev|arrow)/i;

/** What it is, and what changes in it, may be in a shadow tree that nobody can look into. */
export const isClosed = ({ localName, shadowRoot }: Element): boolean => localName.includes("-") && !shadowRoot;

/** A stepper, a pager, a media control or a field. What may be one is taken for one. */
export const isRepeated = (element: Element): boolean =>
  isClosed(element) ||
  !!element.closest(KINDS) ||
  SAYS.test(element.getAttribute("aria-label") || element.getAttribute("title") || element.textContent!) ||
  ["aria-label", "class", "id", "name"].some((name) => CALLED.test(element.getAttribute(name) || ""));
