// The basket page: lines with a stepper each, and the sums.
import { ask, basket } from "./api.js";
import { byId, money, showCount, toast } from "./dom.js";
import { report } from "./report.js";
import { showSums, startCoupon } from "./summary.js";

function line(item) {
  const row = byId("line").content.cloneNode(true);
  const part = (name) => row.querySelector(`[data-fill="${name}"]`);
  const address = `/product/${item.product_id}`;
  part("picture").href = address;
  part("picture").dataset.shelf = item.category;
  part("picture").querySelector("img").src = `/pictures/${item.product_id}.svg`;
  part("picture").setAttribute("aria-label", item.name);
  part("name").href = address;
  part("name").textContent = item.name;
  part("price").textContent = money(item.price_minor);
  part("quantity").textContent = item.quantity;
  part("sum").textContent = money(item.line_minor);
  part("stepper").setAttribute("aria-label", `How many of ${item.name}`);
  for (const button of row.querySelectorAll("[data-step]")) {
    const by = Number(button.dataset.step);
    button.setAttribute("aria-label", `${by > 0 ? "One more" : "One less"} of ${item.name}`);
    button.dataset.key = `${item.product_id} ${by}`;
    button.addEventListener("click", () => set(item, item.quantity + by, button.dataset.key));
  }
  row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${item.name}`);
  row.querySelector("[data-remove]").addEventListener("click", () => set(item, 0));
  return row;
}

async function set(item, quantity, focusAfter) {
  byId("lines").inert = true;
  try {
    const now = await ask("/api/cart", { product_id: item.product_id, set: quantity });
    show(now);
    const { product_id, name, category, price_minor } = item;
    report(quantity > item.quantity ? "cartAdded" : "cartRemoved", {
      product_id,
      name,
      category,
      price_minor,
      quantity: Math.abs(quantity - item.quantity),
      cart_value_minor: now.subtotal_minor,
      currency: now.currency,
    });
  } catch (declined) {
    toast(declined.status >= 500 ? "Sorry, that did not work. Please try again." : declined.message, "bad");
  } finally {
    byId("lines").inert = false;
  }
  const again = [...document.querySelectorAll("[data-key]")].find((button) => button.dataset.key === focusAfter);
  (again ?? byId("main")).focus({ preventScroll: true });
}

function show(now) {
  showCount(now.count);
  byId("loading").hidden = true;
  byId("empty").hidden = now.count > 0;
  byId("filled").hidden = now.count === 0;
  byId("lines").replaceChildren(...now.items.map(line));
  showSums(now);
}

startCoupon(show);
basket().then(show, (declined) => {
  byId("loading").textContent = declined.message;
});
