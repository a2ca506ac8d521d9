/** Words, not an expression: a compiled one would be the largest thing that this script keeps in memory. */
const BOTS = "bot crawl spider headless lighthouse preview monitor";
const PAID = /^(\w+clid|[gw]braid|li_fat_id|epik)$/;
const CAMPAIGN = /^utm_(source|medium|campaign|term|content)$/;

/** Where the visit came from: campaign names, the host that linked here, and that an ad was paid for, never which click. */
export function source(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (CAMPAIGN.test(name)) found[name] = value;
    if (PAID.test(name)) found.click_id = true;
  }
  const { referrer } = document;
  const host = referrer && new URL(referrer).host;
  if (host && host !== location.host) found.referrer = host;
  return found;
}

/** What the visit is made with. Robots say so themselves, mostly; they are flagged here and left out of counts there. */
export function client(): Record<string, unknown> {
  return {
    language: navigator.language,
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    viewport: innerWidth + "x" + innerHeight,
    reduced_motion: matchMedia("(prefers-reduced-motion:reduce)").matches,
    // Cubot makes phones.
    bot: navigator.webdriver || BOTS.split(" ").some((name) => navigator.userAgent.toLowerCase().replace("cubot", "").includes(name)),
  };
}
