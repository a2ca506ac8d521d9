import { now } from "./clock.ts";

/** A UUIDv7: 48 bits of milliseconds, then chance. crypto.randomUUID would need a secure context. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  bytes[0] = (bytes[0]! & 15) | 112;
  bytes[2] = (bytes[2]! & 63) | 128;
  // Eleven digits until the year 2527.
  const hex = "0" + now().toString(16) + [...bytes].map((b) => (b + 256).toString(16).slice(1)).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
