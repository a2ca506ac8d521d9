import { guard } from "../guard.ts";
import { listen } from "../listen.ts";
import { isMasked } from "../signals/context.ts";

type Track = (type: string, props?: object) => void;

const PRODUCT = "[data-product-id]";
const PROMOS = ["countdown", "low_stock", "code", "free_shipping"];

/**
 * Reads what the shop marked: [data-product-id] (with data-name, data-category, data-price-minor, data-currency) around a
 * product, [data-whyleft-add], [data-whyleft-remove] and [data-whyleft-checkout] on what is pressed, [data-promo] and
 * [data-whyleft-reviews] on what is seen.
 */
export function watchMarks(track: Track): void {
  listen(document, "click", (event) => {
    // In a shadow tree, as of a web component, only the event knows what was pressed, and what that is in.
    const path = event.composedPath() as HTMLElement[];
    const at = path.findIndex((part) => part.matches?.("[data-whyleft-add],[data-whyleft-remove],[data-whyleft-checkout]"));
    if (at < 0) return;
    const { whyleftAdd, whyleftRemove, whyleftCheckout } = path[at]!.dataset;
    const product = productOf(path.slice(at).find((part) => part.matches?.(PRODUCT)));
    if (whyleftAdd !== undefined && product) track("cart_added", { ...product, quantity: Number(whyleftAdd) || 1 });
    else if (whyleftRemove !== undefined && product) track("cart_removed", { ...product, quantity: Number(whyleftRemove) || 1 });
    else if (whyleftCheckout !== undefined) track("checkout_started", {});
  });

  const seen = new WeakSet<Element>();
  const observer = new IntersectionObserver(
    guard((entries: IntersectionObserverEntry[]) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        tell(track, target as HTMLElement);
      }
    }),
    { threshold: 0.5 },
  );
  const look = guard(() => {
    for (const mark of document.querySelectorAll("[data-whyleft-product],[data-promo],[data-whyleft-reviews]"))
      if (!seen.has(mark)) {
        seen.add(mark);
        observer.observe(mark);
      }
  });
  look();
  let waiting: ReturnType<typeof setTimeout> | 0 = 0;
  new MutationObserver(() => {
    waiting ||= setTimeout(() => {
      waiting = 0;
      look();
    }, 500);
  }).observe(document, { childList: true, subtree: true });
}

function tell(track: Track, mark: HTMLElement): void {
  const { whyleftProduct, whyleftReviews, promo } = mark.dataset;
  const product = productOf(mark.closest<HTMLElement>(PRODUCT));
  if (whyleftProduct !== undefined && product) track("product_viewed", product);
  if (whyleftReviews !== undefined) {
    const count = Number(whyleftReviews);
    track("reviews_viewed", { product_id: product?.product_id, ...(count && { count }) });
  }
  if (promo && PROMOS.includes(promo))
    track("promo_seen", { kind: promo, text: isMasked(mark) ? undefined : mark.textContent!.trim().slice(0, 200) });
}

function productOf(element: HTMLElement | null | undefined): { product_id: string } | undefined {
  const { productId, name, category, priceMinor, currency } = element?.dataset || {};
  if (!productId) return undefined;
  return { product_id: productId, name, category, price_minor: priceMinor ? Number(priceMinor) : undefined, currency } as never;
}
