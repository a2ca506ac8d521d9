// Whyleft as a Shopify custom pixel: what the theme cannot see, above all the checkout. It runs in Shopify's sandbox, with
// `analytics`, `browser` and `init` given. Fill in these two:
const KEY = 'wl_w_…';
const SERVER = 'https://your-server';

const IDLE_MS = 30 * 60 * 1000;
const tab = Math.random().toString(36).slice(2, 10);
let seq = 0;
let allowed = init.customerPrivacy ? init.customerPrivacy.analyticsProcessingAllowed : true;
if (typeof customerPrivacy !== 'undefined') {
  customerPrivacy.subscribe('visitorConsentCollected', (event) => {
    allowed = event.customerPrivacy.analyticsProcessingAllowed;
  });
}

function uuid7(now) {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  bytes[0] = (bytes[0] & 15) | 112;
  bytes[2] = (bytes[2] & 63) | 128;
  const hex = now.toString(16).padStart(12, '0') + Array.from(bytes, (b) => (b + 256).toString(16).slice(1)).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

// The browser SDK keeps its ids under this name: the checkout belongs to the visit that led to it.
async function identity(now) {
  let memory = {};
  try {
    memory = JSON.parse(await browser.localStorage.getItem('whyleft')) || {};
  } catch {
    // Storage is off: the checkout is a visit of its own.
  }
  if (memory.c === false) return null;
  if (!memory.v) memory.v = uuid7(now);
  if (!memory.s || Math.abs(now - (memory.a || 0)) > IDLE_MS) memory.s = uuid7(now);
  memory.a = now;
  try {
    await browser.localStorage.setItem('whyleft', JSON.stringify(memory));
  } catch {
    // As above.
  }
  return { visitor: memory.v, session: memory.s };
}

// One after another: two events at once would each make a session.
let last = Promise.resolve();

function send(event, type, props) {
  const told = async () => {
    if (!allowed) return;
    const now = Date.now();
    const who = await identity(now);
    if (!who) return;
    const { document } = event.context;
    const body = {
      ...who,
      tab,
      sent_at: Date.now(),
      page: { url: document.location.href, referrer: document.referrer, title: document.title },
      events: [{ id: uuid7(now), seq: seq++, t: new Date(event.timestamp).getTime() || now, type, props }],
    };
    await fetch(`${SERVER}/v1/events?key=${KEY}&v=${who.visitor}`, {
      method: 'POST',
      body: JSON.stringify(body),
      keepalive: true,
      credentials: 'omit',
    });
  };
  last = last.then(told).catch(() => {});
}

// ISO 4217's digits, as on the server: a browser's Intl says how many are usually shown, none for HUF, IDR or PKR.
const DIGITS = [
  ['BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF', 0],
  ['BHD IQD JOD KWD LYD OMR TND', 3],
  ['CLF UYW', 4],
];

function minor(money) {
  if (!money || typeof money.amount !== 'number') return {};
  const known = DIGITS.find(([codes]) => codes.split(' ').includes(money.currencyCode));
  return { amount: Math.round(money.amount * 10 ** (known ? known[1] : 2)), currency: money.currencyCode };
}

function product(variant) {
  const { amount, currency } = minor(variant.price);
  return {
    product_id: String((variant.product && variant.product.id) || variant.id),
    name: (variant.product && variant.product.title) || variant.title,
    category: (variant.product && variant.product.type) || undefined,
    price_minor: amount,
    currency,
  };
}

function cart(checkout) {
  const { amount, currency } = minor(checkout.totalPrice);
  // So many a mail shows of what was left behind.
  const lines = checkout.lineItems.filter(({ variant }) => variant).slice(0, 20);
  const products = lines.map(({ variant, quantity }) => ({ ...product(variant), quantity }));
  return { cart_value_minor: amount, currency, items: checkout.lineItems.length, products };
}

analytics.subscribe('product_viewed', (event) => send(event, 'product_viewed', product(event.data.productVariant)));
analytics.subscribe('product_added_to_cart', (event) => {
  const { merchandise, quantity } = event.data.cartLine;
  send(event, 'cart_added', { ...product(merchandise), quantity });
});
analytics.subscribe('product_removed_from_cart', (event) => {
  const { merchandise, quantity } = event.data.cartLine;
  send(event, 'cart_removed', { ...product(merchandise), quantity });
});
analytics.subscribe('search_submitted', (event) => {
  const { query, productVariants } = event.data.searchResult;
  send(event, 'searched', { query, results: productVariants.length });
});
// At each step: whoever leaves an address at the first and is gone at the second is known, too.
const told = {};
function identify(event) {
  for (const name of ['email', 'phone']) {
    const said = event.data.checkout[name];
    if (said && told[name] !== said) send(event, 'identified', { [name]: (told[name] = said) });
  }
}

analytics.subscribe('checkout_started', (event) => {
  identify(event);
  send(event, 'checkout_started', cart(event.data.checkout));
});
// What was submitted is done: the visitor is at the next step.
const STEPS = {
  checkout_contact_info_submitted: 'shipping',
  checkout_address_info_submitted: 'shipping',
  checkout_shipping_info_submitted: 'payment',
  payment_info_submitted: 'review',
};
for (const [name, step] of Object.entries(STEPS)) {
  analytics.subscribe(name, (event) => {
    identify(event);
    send(event, 'checkout_step', { step });
  });
}
analytics.subscribe('checkout_completed', (event) => {
  const { checkout } = event.data;
  const { amount, currency } = minor(checkout.totalPrice);
  // Webhooks have the bare number of "gid://shopify/OrderIdentity/42".
  const order_id = String((checkout.order && checkout.order.id) || checkout.token).split('/').pop();
  identify(event);
  send(event, 'purchased', { order_id, value_minor: amount, currency, items: checkout.lineItems.length });
});
