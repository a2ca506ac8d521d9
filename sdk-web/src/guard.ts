/** Keeps whatever goes wrong in here out of the page. */
export const guard =
  <A extends unknown[], R>(fn: (...args: A) => R) =>
  (...args: A): R | undefined => {
    try {
      return fn(...args);
    } catch {
      // A guest is quiet about its own troubles.
      return undefined;
    }
  };
