/** An amount as shops write it (24.5, "24.50") in minor units of its currency; undefined for what is no number. */
export function minor(amount: unknown, currency = "USD"): number | undefined {
  const number = typeof amount === "string" ? parseFloat(amount) : amount;
  if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
  let digits = 2;
  try {
    digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    // Not a currency anyone knows: most have cents.
  }
  return Math.round(number * 10 ** digits);
}
