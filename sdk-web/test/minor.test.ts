import assert from "node:assert/strict";
import test from "node:test";
import { minor } from "../src/extra/minor.ts";

test("amounts become minor units of their currency", () => {
  assert.deepEqual(
    [minor(12.5, "EUR"), minor("19.99", "USD"), minor(1500, "JPY"), minor(1.234, "KWD"), minor(0.1 + 0.2), minor(7, "no such")],
    [1250, 1999, 1500, 1234, 30, 700],
  );
});

test("a currency has the digits of ISO 4217, however few browsers show and however it is written", () => {
  assert.deepEqual(
    [minor(9990, "HUF"), minor("149000", "IDR"), minor(1.5, "IQD"), minor(1.2345, "CLF"), minor(1500, "jpy"), minor(7, null)],
    [999000, 14900000, 1500, 12345, 1500, 700],
  );
});

test("an amount that could be two is none", () => {
  assert.deepEqual([minor("1,250", "USD"), minor("12,50", "EUR"), minor("1,299.00", "USD")], [undefined, undefined, undefined]);
});

test("what is no number is no amount", () => {
  assert.deepEqual([minor(undefined), minor("free"), minor(NaN), minor({})], [undefined, undefined, undefined, undefined]);
});
