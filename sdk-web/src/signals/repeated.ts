/** Things people click fast on purpose: by what they are, by what they say, by what their makers call them. */
const KINDS =
  "input:not([type=submit],[type=button],[type=image]),select,textarea,video,audio,[contenteditable]:not([contenteditable=false]),[data-stepper],[role=spinbutton],[role=slider]";
const SAYS =
  /^\s*([+−–—<>‹›«»←→↑↓▲▼▶◀⏸⏯-]+|(next|prev(ious)?)( (slide|image|photo|picture|page|item|product|month))?|(play|pause|(un)?mute|rewind|skip|volume)\b.*|(in|de)crease\b.*)\s*$/i;
const CALLED = /qty|quantity|stepper|spinner|(in|de)crement|(in|de)crease|(carousel|slider|slick|swiper|splide|glide|gallery)\S*(next|prev|arrow)/i;

/** A stepper, a pager, a media control or a field. */
export const isRepeated = (element: Element): boolean =>
  !!element.closest(KINDS) ||
  SAYS.test(element.getAttribute("aria-label") || element.getAttribute("title") || element.textContent!) ||
  ["aria-label", "class", "id", "name"].some((name) => CALLED.test(element.getAttribute(name) || ""));
