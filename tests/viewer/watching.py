"""Watches a browser for what strangers' texts could do: run, leave the viewer, or stand in a page as markup."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Page

FOREIGN = """() => [
  ...document.querySelectorAll(`script:not([src^="/app/static/"], [src^="/app/sdk/"]), img, base, object, embed, math,
    [data-of], style, [srcdoc], meta[http-equiv], iframe:not([src^="/app/actions/"]), [style]:not(dialog *),
    link:not([href^="/app/static/"]), [autofocus]:not(.login input)`),
  ...[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/i.test(a.name))),
].map(e => e.outerHTML.slice(0, 300))"""
"""What no template of ours puts into a page."""


@dataclass
class Seen:
    """Alerts that fired, requests that left, and what the page's policy had to stop."""

    fired: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def all(self) -> list[str]:
        return [*self.fired, *self.left, *self.stopped]


async def watch(context: BrowserContext, base: str) -> Seen:
    """What happens in the context from now on. ``base``: the only address that may be asked."""
    seen = Seen()
    await context.expose_function("alert", lambda text: seen.fired.append(str(text)))
    context.on("request", lambda request: None if request.url.startswith(base) else seen.left.append(request.url))
    context.on("dialog", lambda dialog: seen.fired.append(dialog.message))
    context.on(
        "console", lambda said: seen.stopped.append(said.text) if "Content Security Policy" in said.text else None
    )
    return seen


async def look_around(page: Page) -> None:
    """Opens what can be opened, and finds nothing in the page that we did not put there."""
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    targets = await page.evaluate(
        "[...document.querySelectorAll('a, form')].map(e => e.getAttribute('href') ?? e.getAttribute('action'))"
    )
    assert [one for one in targets if one is not None and not one.startswith(("/app/", "#", "?"))] == [], page.url
    for frame in page.frames:
        foreign = await frame.evaluate(FOREIGN)
        assert foreign == [], page.url
    if not page.url.split("?")[0].endswith("/frame"):
        assert await page.locator("main").is_visible()
