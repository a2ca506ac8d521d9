// The sums beside the basket and the checkout, and the field for a discount code.
import { ask } from "./api.js";
import { byId, money } from "./dom.js";
import { report } from "./report.js";

export function showSums(now) {
  byId("sum-subtotal").textContent = money(now.subtotal_minor);
  byId("sum-discount-row").hidden = now.discount_minor === 0;
  byId("sum-code").textContent = now.code ? `${now.code} (${now.percent} %)` : "";
  byId("sum-discount").textContent = `−${money(now.discount_minor)}`;
  byId("sum-shipping").textContent =
    now.shipping_minor === null ? byId("sum-shipping").dataset.open : now.shipping_minor === 0 ? "Free" : money(now.shipping_minor);
  byId("sum-total").textContent = money(now.total_minor);
  const missing = now.free_from_minor - now.subtotal_minor;
  const hint = byId("until-free");
  hint.hidden = missing <= 0 || now.shipping_minor !== null;
  hint.textContent = `${money(missing)} more and standard delivery is free.`;
  byId("coupon").hidden = now.code !== null;
}

// `changed` is called with the basket after a code was accepted.
export function startCoupon(changed) {
  const form = byId("coupon");
  const field = byId("code");
  const says = byId("coupon-says");
  // A recovery mail may bring its code along: /cart?code=…
  field.value = new URLSearchParams(location.search).get("code")?.slice(0, 64) ?? "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const now = await ask("/api/coupon", { code: field.value });
      report("couponTried", { accepted: true });
      says.textContent = "";
      changed(now);
    } catch (declined) {
      if (field.value.trim()) report("couponTried", { accepted: false });
      says.textContent = declined.message;
      field.focus();
    } finally {
      button.disabled = false;
    }
  });
}
