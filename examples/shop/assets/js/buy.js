// The “Add to basket” buttons.
import { ask } from "./api.js";
import { isBroken } from "./broken.js";
import { showCount, toast } from "./dom.js";
import { report } from "./report.js";

async function add(button) {
  const id = button.dataset.productId;
  button.disabled = true;
  try {
    const now = await ask("/api/cart", { product_id: id, add: 1 });
    showCount(now.count);
    toast(`${button.dataset.name} is in your basket.`);
    const { product_id, name, category, price_minor } = now.items.find((item) => item.product_id === id);
    report("cartAdded", {
      product_id,
      name,
      category,
      price_minor,
      quantity: 1,
      cart_value_minor: now.subtotal_minor,
      currency: now.currency,
    });
  } catch (declined) {
    toast(declined.status >= 500 ? "Sorry, that did not work. Please try again." : declined.message, "bad");
  } finally {
    button.disabled = false;
    button.focus();
  }
}

if (!isBroken("dead-button")) {
  for (const button of document.querySelectorAll("[data-add-to-cart]")) {
    button.addEventListener("click", () => add(button));
  }
}
