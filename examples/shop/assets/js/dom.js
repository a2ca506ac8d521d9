// Small things every page needs: find by id, say something, show money.
export const byId = (id) => document.getElementById(id);

const EUR = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });
export const money = (minor) => EUR.format(minor / 100);

let fading;
export function toast(text, kind = "fine") {
  const place = byId("toast");
  place.textContent = text;
  place.dataset.kind = kind;
  place.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => place.classList.remove("shown"), 4500);
}

export function showCount(count) {
  const badge = byId("basket-count");
  badge.textContent = count;
  badge.hidden = count === 0;
}
