// On every page: the number on the basket, the bar that says what is broken, and the promises that were seen.
import { basket } from "./api.js";
import { broken, setBroken } from "./broken.js";
import { byId, showCount } from "./dom.js";
import { reportOnce, whenSeen } from "./report.js";

const NAMES = {
  "cart-fails": "failing basket",
  "dead-button": "dead button",
  "slow-checkout": "slow checkout",
  "high-shipping": "surprising delivery costs",
  "coupon-refused": "refused code",
};

export function showBroken() {
  const bar = byId("broken-bar");
  const names = broken();
  bar.hidden = names.length === 0;
  if (bar.hidden) return;
  const mend = document.createElement("button");
  mend.type = "button";
  mend.textContent = "Mend";
  mend.addEventListener("click", () => {
    setBroken([]);
    location.reload();
  });
  bar.replaceChildren(`Broken on purpose: ${names.map((name) => NAMES[name]).join(", ")} `, mend);
}

showBroken();
for (const promo of document.querySelectorAll("[data-promo]")) {
  const text = promo.textContent.trim();
  whenSeen(promo, () => reportOnce(`promo.${text}`, "promoSeen", { kind: promo.dataset.promo, text }));
}

const showsBasket = byId("lines") || byId("mini-lines");
const refreshCount = () => basket().then((now) => showCount(now.count), () => {});
if (!showsBasket) refreshCount();
// A page that comes back from the browser's memory may show a basket that was changed or bought since.
addEventListener("pageshow", (event) => {
  if (event.persisted) showsBasket ? location.reload() : refreshCount();
});
