import type { Called } from "../early.ts";
import { guard } from "../guard.ts";
import { core, on, track } from "./lent.ts";

/** Where a 4xx or a long wait costs a sale, in the request's path or the page's. */
const BUYING = /cart|basket|bag\b|checkout|order|payment|coupon|voucher|discount/i;
const SLOW_MS = 5_000;

const opened = new WeakMap<XMLHttpRequest, [method: string, url: string]>();

/** Failing requests of the page. */
export function watchRequests(): void {
  on("fetch", ({ args, result, timeStamp }: Called) => {
    const [input, init] = args as [RequestInfo | URL, RequestInit?];
    const { url = String(input), method = "GET" } = input as Request;
    const done = (status: number): void => judge(String(init?.method || method), url, status, timeStamp);
    (result as Promise<Response>).then(
      // An opaque answer has no status to tell.
      guard(({ status }) => status && done(status)),
      guard(({ name }) => name === "AbortError" || done(0)),
    );
  });
  on("open", ({ self, args }: Called) => void opened.set(self, [String(args[0]), String(args[1])]));
  on("send", ({ self, timeStamp }: Called) => {
    const request = self as XMLHttpRequest;
    const ended = guard(() => judge(...opened.get(request)!, request.status, timeStamp));
    // It may have ended before this chunk was here.
    if (request.readyState === 4) ended();
    else for (const type of ["load", "error", "timeout"]) request.addEventListener(type, ended, { once: true });
  });
}

function judge(method: string, address: string, status: number, started: number): void {
  const { href, origin, pathname } = new URL(address, document.baseURI);
  const ms = Math.round(performance.now() - started);
  // Requests that the browser cuts off when a page goes did not fail.
  if (href.startsWith(core.collector) || (core.here.leaving && !status)) return;
  const buying = (): boolean => BUYING.test(pathname + location.pathname);
  if (!status || status > 499 || ((status > 399 || ms > SLOW_MS) && buying()))
    track("request_failed", {
      method: method.toUpperCase(),
      path: (origin === location.origin ? "" : origin) + pathname,
      status,
      ms,
    });
}
