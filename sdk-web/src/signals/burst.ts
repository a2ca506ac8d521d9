/** Tells once that something has stopped coming, and has been quiet for so long. One timer a burst, whatever its length. */
export function afterBurst(quietMs: number, then: () => void): () => void {
  let latest = 0;
  let timer: ReturnType<typeof setTimeout> | 0 = 0;
  const look = (): void => {
    const left = latest + quietMs - performance.now();
    timer = left > 0 ? setTimeout(look, left) : 0;
    if (!timer) then();
  };
  return () => {
    latest = performance.now();
    timer ||= setTimeout(look, quietMs);
  };
}
