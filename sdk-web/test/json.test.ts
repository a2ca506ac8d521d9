import assert from "node:assert/strict";
import test from "node:test";
import { json } from "../src/json.ts";

test("what the page's own JSON would say, it says too", () => {
  const value = { text: 'a "b" \\ \n ж 😀', list: [1, -2.5, true, false, null, []], inner: { empty: {}, skipped: undefined } };
  assert.deepEqual(JSON.parse(json(value)), JSON.parse(JSON.stringify(value)));
});

test("what no database takes is replaced, and what no JSON has is null", () => {
  assert.deepEqual(JSON.parse(json({ half: "a\ud800b", nul: "a\0b", nan: NaN, call: () => 1 })), {
    half: "a\ud800b",
    nul: "ab",
    nan: null,
    call: null,
  });
  assert.equal(json({ day: new Date(NaN) }), '{"day":null}');
});

test("arrays that were taught toJSON stay arrays", () => {
  const proto = Array.prototype as { toJSON?: unknown };
  proto.toJSON = () => "mine";
  try {
    assert.equal(json([1, 2]), "[1,2]");
  } finally {
    delete proto.toJSON;
  }
});

test("a loop is refused instead of followed", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  assert.throws(() => json(loop));
});
