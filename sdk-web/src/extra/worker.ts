/** The service worker of web push: shows what was sent, and leads where it points. Copied to the shop's own origin. */
interface Message {
  title: string;
  body?: string;
  url?: string;
  icon?: string;
  tag?: string;
}

interface Scope {
  location: Location;
  registration: { showNotification(title: string, options: object): Promise<void> };
  clients: {
    openWindow(url: string): Promise<unknown>;
    matchAll(options: object): Promise<{ url: string; focus(): Promise<unknown> }[]>;
  };
  addEventListener(type: string, listener: (event: any) => void): void;
}

const scope = self as unknown as Scope;

scope.addEventListener("push", (event) => {
  let message: Message = { title: scope.location.host };
  try {
    message = { ...message, ...event.data.json() };
  } catch {
    // Browsers insist that something is shown.
    message.body = event.data?.text();
  }
  const { title, body, icon, tag, url } = message;
  event.waitUntil(scope.registration.showNotification(title, { body, icon, tag, data: { url } }));
});

scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data?.url || "/", scope.location.href);
  // A message may lead into the shop, or to a secure page; nowhere else.
  if (url.origin !== scope.location.origin && url.protocol !== "https:") return;
  event.waitUntil(
    scope.clients
      .matchAll({ type: "window" })
      .then((open) => open.find((one) => one.url === url.href)?.focus() || scope.clients.openWindow(url.href)),
  );
});
