import { address } from "./address.ts";
import type { Content } from "./contract.ts";
import { element } from "./element.ts";

/** Products side by side: a list that scrolls by hand, by key and by its two buttons. */
export function shelf({ items, previous_label, next_label }: Content, chosen: (what: string) => void): HTMLElement {
  const list = element("ul", "");
  for (const { title, href, price, image } of items!) {
    const to = address(href);
    if (!to) continue;
    const link = element("a", "");
    const picture = image && address(image);
    if (picture) {
      const shown = element("img", "");
      // The name stands beside it.
      shown.alt = "";
      shown.src = picture;
      link.append(shown);
    }
    link.append(element("span", "", title), element("b", "", price));
    link.href = to;
    link.onclick = () => chosen(title);
    list.append(element("li", "", "", link));
  }
  const turn = (label: string, way: number): HTMLElement => {
    const button = element("button", "turn");
    button.ariaLabel = label;
    button.onclick = () => {
      const sign = getComputedStyle(list).direction === "rtl" ? -way : way;
      list.scrollBy({ left: sign * list.clientWidth * 0.8 });
    };
    return button;
  };
  return element("div", "shelf", "", turn(previous_label || "Previous", -1), list, turn(next_label || "Next", 1));
}
