// Which parts of the shop this browser's owner broke on purpose. Kept here only; the server is told on each request.
const KEY = "shop.broken";
const KNOWN = ["cart-fails", "dead-button", "slow-checkout", "high-shipping", "coupon-refused"];

export function broken() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return KNOWN.filter((name) => Array.isArray(kept) && kept.includes(name));
  } catch {
    return [];
  }
}

export const isBroken = (name) => broken().includes(name);

// Returns false when this browser keeps nothing for us.
export function setBroken(names) {
  try {
    localStorage.setItem(KEY, JSON.stringify(names));
    return true;
  } catch {
    return false;
  }
}
