/** Keeps whatever goes wrong in here out of the page. */
export const guard =
  <A extends unknown[]>(fn: (...args: A) => void) =>
  (...args: A): void => {
    try {
      fn(...args);
    } catch {
      // A guest is quiet about its own troubles.
    }
  };
