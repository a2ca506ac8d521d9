// Makes every call of Segment's client once, the way its documentation shows, and waits until all are delivered.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, flushAt: 3, flushInterval: 200, maxRetries: 2 });
const failures = [];
analytics.on("error", (error) => failures.push(String(error.reason ?? error.code ?? error)));

const userId = "node-user";
const anonymousId = "node-device";
const done = (resolve) => (error) => resolve(error ? failures.push(String(error)) : undefined);
const calls = [
  (end) => analytics.identify({ userId, anonymousId, traits: { email: "node@shop.example", plan: "gold" } }, end),
  (end) => analytics.page({ anonymousId, name: "Home", properties: { url: "https://shop.example/", title: "Home" } }, end),
  (end) => analytics.screen({ anonymousId, name: "Cart" }, end),
  (end) => analytics.track({ anonymousId, event: "Product Viewed", properties: { product_id: "P1", price: 19.99, currency: "EUR" } }, end),
  (end) => analytics.track({ anonymousId, userId, event: "Order Completed", properties: { order_id: "N-1", total: 19.99, currency: "EUR" } }, end),
  (end) => analytics.group({ userId, anonymousId, groupId: "company-1", traits: { name: "Company" } }, end),
  (end) => analytics.alias({ userId, previousId: anonymousId }, end),
];
await Promise.all(calls.map((call) => new Promise((resolve) => call(done(resolve)))));
await analytics.closeAndFlush({ timeout: 10_000 });
console.log(JSON.stringify({ calls: calls.length, failures }));
