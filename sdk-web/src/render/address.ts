const ANYWHERE = ["https:", "mailto:", "tel:"];

/** The address a call to action may lead to; undefined for anything that could run code or leave the shop unencrypted. */
export function address(href: string): string | undefined {
  try {
    const url = new URL(href, document.baseURI);
    if (ANYWHERE.includes(url.protocol) || url.origin === location.origin) return url.href;
  } catch {
    // Not an address.
  }
  return undefined;
}
