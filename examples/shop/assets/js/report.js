// What the shop tells Whyleft. Calls wait in a plain list until the SDK arrives; if it never does, nothing else changes.
export function report(method, ...args) {
  window.whyleft ??= { q: [] };
  window.whyleft.q.push([method, ...args]);
}

// The same, but once a visit for each `what`: a promise on every page is seen once, not ten times.
export function reportOnce(what, method, ...args) {
  const key = `shop.reported.${what}`;
  try {
    if (sessionStorage.getItem(key)) return;
    sessionStorage.setItem(key, "1");
  } catch {
    // Storage is off: better said twice than not at all.
  }
  report(method, ...args);
}

// Calls `then` the first time half of `element` can be seen.
export function whenSeen(element, then, share = 0.5) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      then();
    },
    { threshold: share },
  );
  observer.observe(element);
}
