/** The npm package's door. Importing it touches nothing, so that it may be imported on a server too. */
import type { Options, Whyleft } from "./public.d.ts";

/** Starts the SDK in this page, once. Resolves to the API; on a server, and where something blocks it, to undefined. */
export async function start(options: Options): Promise<Whyleft | undefined> {
  if (typeof window === "undefined") return undefined;
  try {
    const { run } = await import("./whyleft-core.mjs" as string);
    run(options);
  } catch {
    // Something keeps it from the page: the page goes on without it.
  }
  const { whyleft } = window;
  // Without a key there is only what calls wait in.
  return whyleft?.track && whyleft;
}
