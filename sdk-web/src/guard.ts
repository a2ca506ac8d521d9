/** Keeps whatever goes wrong in here out of the page. For functions of up to three arguments: a list of any length is dear. */
export const guard = <A extends unknown[], R>(fn: (...args: A) => R): ((...args: A) => R | undefined) =>
  ((one: unknown, two: unknown, three: unknown) => {
    try {
      return (fn as (...args: any) => R)(one, two, three);
    } catch {
      // A guest is quiet about its own troubles.
      return undefined;
    }
  }) as any;
