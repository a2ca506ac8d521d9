/** What a page may use: `window.whyleft`, its arguments, and the actions the server answers with. */

/** Money is in integer minor units (cents) and comes with an ISO 4217 currency. */
export interface Product {
  product_id: string;
  name?: string;
  category?: string;
  price_minor?: number;
  currency?: string;
}

export interface CartLine extends Product {
  quantity?: number;
  cart_value_minor?: number;
}

export interface Cart {
  cart_value_minor?: number;
  currency?: string;
  items?: number;
}

export interface Purchase {
  order_id: string;
  value_minor: number;
  currency: string;
  margin_minor?: number;
  items?: number;
}

export interface Identity {
  user_id?: string;
  email?: string;
  phone?: string;
  /** What your server signed of the names above: needed where the project requires it. */
  signatures?: { user_id?: string; email?: string; phone?: string };
  traits?: Record<string, unknown>;
}

export interface Consent {
  /** true: collect and store; false: stop, and forget this browser's ids. Left out: unchanged. */
  analytics?: boolean;
  marketing?: boolean;
  /** The channels the visitor agreed to: "email", "sms", "push". */
  channels?: string[];
  /** Which text was agreed to, and in which version: kept with the answer. */
  text_id?: string;
  version?: string;
}

export interface Action {
  decision_id: string;
  /** "free_shipping_banner", "cart_save", "trust_card", … */
  action: string;
  /** popup is modal; the others stay at the edge of the page and never take the focus. */
  template: "banner" | "popup" | "card" | "form" | "carousel";
  content: {
    title?: string | null;
    body?: string | null;
    /** A discount code, to be read or copied. */
    code?: string | null;
    cta?: { label: string; href?: string | null } | null;
    /** One question. With `options` it is a choice. An e-mail becomes `identified`, the others `answer` of action_clicked. */
    input?: {
      kind: "email" | "text";
      label: string;
      options?: string[] | null;
      consent_label?: string | null;
    } | null;
    dismiss_label?: string | null;
    /** What stands in the place of the form after it was sent. */
    thanks?: string | null;
    /** The products of a carousel. Addresses: https, or of the shop's own origin. */
    items?: { title: string; href: string; price?: string | null; image?: string | null }[] | null;
    previous_label?: string | null;
    next_label?: string | null;
  };
}

export interface Whyleft {
  /** Records an event. An unknown type is kept as `custom`. */
  track(type: string, props?: object): void;
  /** Records a page view by hand; the SDK does it for page loads and history changes. */
  page(): void;
  identify(identity: Identity): void;
  consent(consent: Consent): void;
  /** What holds now. "pending": the visitor was not asked yet, and must be. */
  consent(): "granted" | "denied" | "pending";
  productViewed(product: Product): void;
  cartAdded(line: CartLine): void;
  cartRemoved(line: CartLine): void;
  checkoutStarted(cart?: Cart): void;
  checkoutStep(step: { step: "contact" | "shipping" | "payment" | "review" }): void;
  couponTried(coupon: { accepted: boolean }): void;
  purchased(purchase: Purchase): void;
  reviewsViewed(reviews: { product_id: string; count?: number }): void;
  promoSeen(promo: { kind: "countdown" | "low_stock" | "code" | "free_shipping"; text?: string }): void;
  searched(search: { query: string; results?: number }): void;
  /** Sends what is waiting, now. */
  flush(): void;
  /** This browser's visitor id; empty while nothing may be collected. */
  visitor(): string;
  /** The id of the visit that is going on; empty while nothing may be collected. */
  session(): string;
  /** Hears of each action before it is drawn; return false to draw it yourself. */
  on(name: "action", listener: (action: Action) => boolean | void): void;
  /**
   * Asks for web push and subscribes; call it from a click, once the page has loaded. Resolves to "granted", "denied",
   * "default" (the visitor did not answer) or "unsupported". `worker`: the path of whyleft-worker.js on your own origin.
   */
  push(options: { publicKey: string; worker?: string }): Promise<string>;
  /** Calls made before the script arrived: ["track", "searched", {query: "boots"}]. */
  q: { push(call: [method: string, ...args: unknown[]]): unknown };
}

/** What a script tag says in attributes, for `start` of the npm package. */
export interface Options {
  /** The project's write key. */
  key: string;
  /** Origin of your Whyleft server. */
  endpoint: string;
  /** "required": nothing is stored or sent before `consent({analytics: true})`. */
  consent?: "required";
  /** false: Global Privacy Control and Do Not Track are not honoured. */
  respectDnt?: boolean;
  /** true: cart events are taken from GA4's dataLayer and from data-attributes. */
  auto?: boolean;
}

/** Starts the SDK in this page, once. Resolves to the API; on a server to undefined. */
export declare function start(options: Options): Promise<Whyleft | undefined>;

declare global {
  interface Window {
    whyleft?: Whyleft;
  }
}
