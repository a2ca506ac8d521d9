"""Takes the pictures of docs/images/channels: a mail as a mail server got it, and the pages behind its link.

`python -m tests.channels.pictures [--to FOLDER]` sends real mails through SMTP to a server on loopback and opens what
arrived in Chromium, light and dark beside each other, with the network closed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from email.message import EmailMessage
from pathlib import Path

from playwright.async_api import Browser, Route, async_playwright

from adapters.channels.contract import Accepted, SendIntent
from adapters.channels.smtp import SmtpChannel
from insights.api.preferences import page_of
from insights.recovery.preference_words import LANGUAGES
from insights.recovery.preferences import Choice, Preferences
from insights.recovery.templates import Messages
from tests.browser import ARGUMENTS, chromium_path
from tests.channels.servers import mail_server
from tests.recovery.test_templates import VALUES

OUT = Path(__file__).parents[2] / "docs" / "images" / "channels"
WIDTH = 620
SHOWN = VALUES | {"things": [{"name": "Morning mug", "quantity": 2, "price": "€29.00"}, VALUES["viewed"][0]]}
SHOWN["total"] = "€90.00"
CHOICES = (
    Choice("email", ("anna@example.com",), "a•••@example.com", on=True),
    Choice("sms", ("+4915112345678",), "•••678", on=False),
    Choice("push", ("1",), "", on=True),
)


async def arrived(name: str) -> EmailMessage:
    """The mail ``name`` as a mail server got it."""
    mail = Messages().render(name, SHOWN)
    content = {"subject": mail.subject, "text": mail.text, "html": mail.html}
    content["unsubscribe_url"] = VALUES["unsubscribe_url"]
    async with mail_server() as relay:
        channel = SmtpChannel(relay.url, sender="Quay & Kettle <hello@shop.example>")
        result = await channel.send(SendIntent("picture", "anna@example.com", content))
        assert isinstance(result, Accepted)
        return relay.mails[0]


async def opened(browser: Browser, html: str, scheme: str) -> bytes:
    """What a mail program shows of it, with the network closed."""
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": WIDTH, "height": 300},
        java_script_enabled=False,
    )
    asked: list[str] = []

    async def closed(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    await context.route("**/*", closed)
    page = await context.new_page()
    await page.set_content(html)
    taken = await page.screenshot(full_page=True)
    await context.close()
    assert asked == [], "a mail asks nobody for anything"
    return taken


async def beside(browser: Browser, taken: list[bytes]) -> bytes:
    page = await browser.new_page(viewport={"width": 1280, "height": 100})
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in taken)
    await page.set_content(
        "<style>body{margin:0;padding:12px;display:grid;grid-template-columns:1fr 1fr;gap:12px;align-items:start;"
        f"background:#8a9299}}img{{display:block;width:100%;border-radius:4px}}</style>{images}"
    )
    made = await page.screenshot(type="jpeg", quality=74, full_page=True)
    await page.close()
    return made


async def main(out: Path) -> None:
    pages = {}
    for name in ("cart_reminder", "discount_24h"):
        part = (await arrived(name)).get_body(("html",))
        assert part is not None
        pages[f"mail-{name.replace('_', '-')}"] = str(part.get_content())
    found = Preferences("Quay & Kettle", "en", CHOICES)
    pages["preferences"] = page_of("en", LANGUAGES["en"], found, "token")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        for name, html in pages.items():
            target = out / f"{name}.jpg"
            target.write_bytes(await beside(browser, [await opened(browser, html, s) for s in ("light", "dark")]))
            sys.stdout.write(f"{target}: {target.stat().st_size:,} B\n")
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=OUT, metavar="FOLDER")
    told = parser.parse_args()
    told.to.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(told.to))
