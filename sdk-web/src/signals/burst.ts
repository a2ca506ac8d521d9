/** Tells once that something has stopped coming: nothing came for so long, or up to twice as long. One timer a burst. */
export function afterBurst(quietMs: number, then: () => void): () => void {
  let coming = false;
  let timer: ReturnType<typeof setTimeout> | 0 = 0;
  const look = (): void => {
    timer = coming ? setTimeout(look, quietMs) : 0;
    coming = false;
    if (!timer) then();
  };
  return () => {
    coming = !!timer;
    timer ||= setTimeout(look, quietMs);
  };
}
