// Tells which product was looked at, and whether its reviews were.
import { byId } from "./dom.js";
import { report, whenSeen } from "./report.js";

const { productId, name, category, priceMinor, currency, reviewCount } = byId("product").dataset;
report("productViewed", { product_id: productId, name, category, price_minor: Number(priceMinor), currency });
whenSeen(byId("reviews"), () => report("reviewsViewed", { product_id: productId, count: Number(reviewCount) }));
