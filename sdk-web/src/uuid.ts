import { now } from "./clock.ts";

/** A UUIDv7: 48 bits of milliseconds, then chance. crypto.randomUUID would need a secure context. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  bytes[0] = (bytes[0]! & 15) | 112;
  bytes[2] = (bytes[2]! & 63) | 128;
  const hex = now().toString(16).padStart(12, "0") + [...bytes].map((b) => (b + 256).toString(16).slice(1)).join("");
  return [0, 8, 12, 16, 20].map((from, at, all) => hex.slice(from, all[at + 1])).join("-");
}
