import assert from "node:assert/strict";
import test from "node:test";
import { minor } from "../src/extra/minor.ts";

test("amounts become minor units of their currency", () => {
  assert.deepEqual(
    [minor(12.5, "EUR"), minor("19.99", "USD"), minor(1500, "JPY"), minor(1.234, "KWD"), minor(0.1 + 0.2), minor(7, "no such")],
    [1250, 1999, 1500, 1234, 30, 700],
  );
});

test("what is no number is no amount", () => {
  assert.deepEqual([minor(undefined), minor("free"), minor(NaN), minor({})], [undefined, undefined, undefined, undefined]);
});
