import { guard } from "../guard.ts";
import { minor } from "./minor.ts";

type Track = (type: string, props?: object) => void;
type Entry = Record<string, any>;

/** GA4's names and ours. add_shipping_info and the like mean that the step was done, so the next one is where they are. */
const CART: Record<string, string> = {
  view_item: "product_viewed",
  add_to_cart: "cart_added",
  remove_from_cart: "cart_removed",
};
const SHOWN = 20;
const STEPS: Record<string, string> = { add_shipping_info: "payment", add_payment_info: "review" };

/** Hears what the shop says to Google's dataLayer, before and after this script, and takes from it what buying is made of. */
export function watchLayer(track: Track): void {
  const layer: any[] = ((window as any).dataLayer ||= []);
  const read = guard((entry: any) => {
    // gtag("event", name, params) pushes its arguments; Tag Manager's own way is an object with `event` in it.
    const [name, params] = entry?.[0] === "event" ? [entry[1], entry[2]] : [entry?.event, entry?.ecommerce || entry];
    if (typeof name === "string") translate(track, name, params || {});
  });
  layer.forEach(read);
  const { push } = layer;
  layer.push = function (...entries: any[]): number {
    const length = push.apply(this, entries);
    entries.forEach(read);
    return length;
  };
}

function translate(track: Track, name: string, params: Entry): void {
  const { value, coupon, search_term, transaction_id, promotion_name, creative_name } = params;
  // Older tags call an item's parts id, name and category.
  const all = (Array.isArray(params.items) ? (params.items as Entry[]) : []).filter(Boolean).map((item) => {
    const { item_id = item.id, item_name: name = item.name, item_category: category = item.category, price } = item;
    const currency = item.currency || params.currency;
    const product_id = String(item_id || name || "");
    let price_minor = minor(price, currency);
    let quantity = Number(item.quantity ?? 1);
    // What is sold by weight or length is one piece of what its weight costs.
    if (quantity % 1) [price_minor, quantity] = [price_minor && Math.round(price_minor * quantity), 1];
    return { product_id, name, category, price_minor, currency, quantity };
  });
  // What cannot be told apart is left out, and costs something all the same.
  const items = all.filter((item) => item.product_id);
  const count = items.length;
  const told = params.currency || all[0]?.currency;
  const currency = params.currency || (all.every((item) => item.currency === told) ? told : undefined);
  // NaN where a price is unknown; prices in several currencies have no sum.
  const worth = all.reduce((sum, item) => (item.currency === told ? sum + item.price_minor! * item.quantity : NaN), 0);
  const total = minor(value, currency) ?? (worth || undefined);
  if (CART[name])
    for (const { quantity, ...item } of items) track(CART[name]!, { ...item, ...(name !== "view_item" && { quantity }) });
  // Who comes back to a cart of another day put nothing into it today: a mail shows what stands in here, and no more of it.
  if (name === "begin_checkout")
    track("checkout_started", { cart_value_minor: total, currency, items: count, products: items.slice(0, SHOWN) });
  if (STEPS[name]) track("checkout_step", { step: STEPS[name] });
  // An order without its number would be the same as every other such order.
  if (name === "purchase" && transaction_id)
    track("purchased", { order_id: String(transaction_id), value_minor: total, currency, items: count });
  if (name === "search" || name === "view_search_results") track("searched", { query: search_term });
  if (name === "view_promotion") track("promo_seen", { kind: "code", text: promotion_name || creative_name });
  if (coupon && name === "begin_checkout") track("coupon_tried", { accepted: true });
}
