// Tells of the order, once however often the page is reloaded.
import { byId } from "./dom.js";
import { reportOnce } from "./report.js";

const { orderId, valueMinor, currency, items } = byId("order").dataset;
reportOnce(`order.${orderId}`, "purchased", {
  order_id: orderId,
  value_minor: Number(valueMinor),
  currency,
  items: Number(items),
});
