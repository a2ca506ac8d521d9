const DIGITS: [string, number][] = [
  ["BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0],
  ["BHD IQD JOD KWD LYD OMR TND", 3],
  ["CLF UYW", 4],
];

/**
 * An amount as shops write it (24.5, "24.50") in minor units of its currency; undefined for what is no number, and for
 * "1,250", which could be two. The digits are ISO 4217's, as on the server: Chromium's Intl says how many are usually
 * shown, none for HUF or IDR, and Firefox's says two.
 */
export function minor(amount: unknown, currency?: unknown): number | undefined {
  const number = typeof amount === "string" && !amount.includes(",") ? parseFloat(amount) : amount;
  if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
  const code = String(currency).toUpperCase();
  const [, digits] = DIGITS.find(([codes]) => codes.split(" ").includes(code)) ?? ["", 2];
  return Math.round(number * 10 ** digits);
}
