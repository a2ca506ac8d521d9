/** Web push: asks, subscribes, and tells the server where to send. Call it from a click: browsers want one. */
import type { Core } from "../core.ts";

export interface PushOptions {
  /** The shop's VAPID public key, base64url. */
  publicKey: string;
  /** Path of the service worker on the shop's own origin: a copy of whyleft-worker.js. */
  worker?: string;
}

/** What the visitor or the browser said: "granted" with a subscription, "denied", "default" (not now), "unsupported". */
export async function subscribe(core: Core, { publicKey, worker = "/whyleft-worker.js" }: PushOptions): Promise<string> {
  if (!("PushManager" in window) || !("serviceWorker" in navigator)) return "unsupported";
  const permission = await Notification.requestPermission();
  if (permission === "granted") {
    await navigator.serviceWorker.register(worker);
    const { pushManager } = await navigator.serviceWorker.ready;
    const subscription =
      (await pushManager.getSubscription()) ||
      (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey }));
    const { endpoint, keys } = subscription.toJSON();
    core.track("identified", { traits: { push_subscription: { endpoint, keys } } });
    core.track("consent_changed", { marketing: true, channels: ["push"] });
  }
  return permission;
}
