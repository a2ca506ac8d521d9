import { collector } from "../config.ts";
import { guard } from "../guard.ts";
import { here } from "../state.ts";
import { track } from "../track.ts";

/** Where a 4xx or a long wait costs a sale, in the request's path or the page's. */
const BUYING = /cart|basket|bag\b|checkout|order|payment|coupon|voucher|discount/i;
const SLOW_MS = 5_000;

/**
 * Watches fetch and XMLHttpRequest. Arguments go through untouched and the page gets the very promise that the browser
 * made. The price: a rejection nobody handles is not reported as unhandled, since we looked at it.
 */
export function watchRequests(): void {
  const { fetch } = window;
  window.fetch = function (this: unknown) {
    const args = arguments as unknown as [RequestInfo | URL, RequestInit?];
    const promise = fetch.apply(this as Window, args);
    guard(() => {
      const [input, init] = args;
      const started = performance.now();
      const { url = String(input), method = "GET" } = input as Request;
      const done = (status: number): void => judge(init?.method || method, url, status, started);
      promise.then(
        // An opaque answer has no status to tell.
        ({ status }) => status && done(status),
        ({ name }) => name === "AbortError" || done(0),
      );
    })();
    return promise;
  };

  const { open, send } = XMLHttpRequest.prototype;
  const opened = new WeakMap<XMLHttpRequest, [method: string, url: string]>();
  XMLHttpRequest.prototype.open = function (this: XMLHttpRequest) {
    const args = arguments as unknown as Parameters<typeof open>;
    guard(() => opened.set(this, [args[0], String(args[1])]))();
    return open.apply(this, args);
  };
  XMLHttpRequest.prototype.send = function (this: XMLHttpRequest) {
    guard(() => {
      const started = performance.now();
      for (const type of ["load", "error", "timeout"])
        this.addEventListener(type, () => judge(...opened.get(this)!, this.status, started));
    })();
    return send.apply(this, arguments as unknown as Parameters<typeof send>);
  };
}

const judge = guard((method: string, address: string, status: number, started: number) => {
  const { href, origin, pathname } = new URL(address, document.baseURI);
  const ms = Math.round(performance.now() - started);
  const buying = BUYING.test(pathname + location.pathname);
  // Requests that the browser cuts off when a page goes did not fail.
  if (href.startsWith(collector) || (here.leaving && !status)) return;
  if (!status || status > 499 || (buying && (status > 399 || ms > SLOW_MS)))
    track("request_failed", {
      method: method.toUpperCase(),
      path: (origin === location.origin ? "" : origin) + pathname,
      status,
      ms,
    });
});
