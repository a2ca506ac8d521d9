import assert from "node:assert/strict";
import test from "node:test";
import { uuid } from "../src/uuid.ts";

test("a uuid is version 7, variant 10, and carries the time it was made", () => {
  const before = Date.now();
  const made = uuid();
  assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const ms = parseInt(made.replace(/-/g, "").slice(0, 12), 16);
  assert.ok(ms >= before && ms <= Date.now());
});

test("no two of ten thousand are equal", () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, uuid)).size, 10_000);
});
