from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest
from playwright.async_api import Browser
from starlette.types import ASGIApp, Receive, Scope, Send

from insights.demo.inbox import Inbox, InboxNotStarted, PortTaken, create_inbox
from insights.demo.mail import Mail
from tests.demo.serving import serving


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox()
    inbox.start("127.0.0.1", 0, tmp_path / "mails")
    yield inbox
    inbox.stop()


@pytest.fixture
async def client(inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_inbox(inbox, shop_url="http://127.0.0.1:1/"))
    async with httpx.AsyncClient(transport=transport, base_url="http://inbox.test") as client:
        yield client


def written(subject: str = "Your basket", text: str = "It is still there.", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Quiet Kettle <shop@example.com>"
    message["To"] = "ada@example.com"
    message["Subject"] = subject
    message["List-Unsubscribe"] = "<http://127.0.0.1:1/unsubscribe?token=t>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def send(inbox: Inbox, message: EmailMessage, *recipients: str) -> None:
    await aiosmtplib.send(
        message,
        hostname=inbox.host,
        port=inbox.port,
        start_tls=False,
        recipients=list(recipients) or None,
    )


async def test_a_mail_sent_over_smtp_is_in_memory_and_on_disk(inbox: Inbox) -> None:
    await send(inbox, written("Grüße ☕", html="<p>It is <b>still</b> there.</p>"), "ada@example.com", "b@example.com")
    (mail,) = inbox.messages()
    assert mail.subject == "Grüße ☕"
    assert mail.envelope_to == ("ada@example.com", "b@example.com")
    assert mail.text is not None
    assert mail.text.strip() == "It is still there."
    assert mail.html is not None
    assert "<b>still</b>" in mail.html
    (file,) = inbox.folder.iterdir()
    assert file.name == f"{mail.id}.eml"
    assert file.read_bytes() == mail.raw
    assert inbox.find(mail.id) is mail


async def test_the_newest_mail_comes_first(inbox: Inbox) -> None:
    for number in range(3):
        await send(inbox, written(f"Number {number}"))
    assert [mail.subject for mail in inbox.messages()] == ["Number 2", "Number 1", "Number 0"]


async def test_many_mails_at_once_are_all_kept(inbox: Inbox) -> None:
    await asyncio.gather(*(send(inbox, written(f"Number {number}")) for number in range(30)))
    assert {mail.subject for mail in inbox.messages()} == {f"Number {number}" for number in range(30)}
    assert len(list(inbox.folder.glob("*.eml"))) == 30


async def test_mails_of_an_earlier_run_are_there_again(inbox: Inbox) -> None:
    await send(inbox, written("From before"), "c@example.com")
    before = inbox.messages()
    inbox.stop()
    (inbox.folder / "notes.eml").write_text("not ours")
    (inbox.folder / "20260101Z-x.eml").write_text("not ours either")
    again = Inbox()
    again.start("127.0.0.1", 0, inbox.folder)
    try:
        assert again.messages() == before
    finally:
        again.stop()


async def test_a_stopped_inbox_frees_its_port_even_while_somebody_is_connected(tmp_path: Path) -> None:
    inbox = Inbox()
    inbox.start("127.0.0.1", 0, tmp_path)
    connected = aiosmtplib.SMTP(hostname="127.0.0.1", port=inbox.port, start_tls=False)
    await connected.connect()
    port = inbox.port
    await asyncio.to_thread(inbox.stop)
    inbox.stop()  # a second time does nothing
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await connected.noop(timeout=20)
    again = Inbox()
    again.start("127.0.0.1", port, tmp_path)
    await send(again, written())
    again.stop()


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            Inbox().start("127.0.0.1", port, tmp_path)
    assert f"Port {port} on 127.0.0.1 is taken" in refused.value.detail
    assert "choose another port" in refused.value.detail


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_listened_on_is_named(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(InboxNotStarted, match="Choose another address or port"):
        Inbox().start(host, port, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InboxNotStarted, match="Choose a folder"):
        Inbox().start("127.0.0.1", 0, tmp_path / "file" / "mails")


def test_an_inbox_that_runs_is_not_started_twice(inbox: Inbox, tmp_path: Path) -> None:
    with pytest.raises(InboxNotStarted, match="running already"):
        inbox.start("127.0.0.1", 0, tmp_path)


async def test_a_mail_that_cannot_be_kept_is_not_accepted(inbox: Inbox) -> None:
    shutil.rmtree(inbox.folder)
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(inbox, written())
    assert refused.value.code == 452
    inbox.folder.mkdir()
    await send(inbox, written())
    assert len(inbox.messages()) == 1


async def test_a_mail_that_is_too_large_is_refused(inbox: Inbox) -> None:
    with pytest.raises(aiosmtplib.SMTPException):
        await send(inbox, written(text="x" * 6_000_000))
    assert inbox.messages() == []


async def test_an_empty_inbox_says_how_to_get_a_mail(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert "No mail yet" in page
    assert "Mail me about my basket" in page
    assert 'href="http://127.0.0.1:1/"' in page


async def test_the_pages_show_the_mail_its_headers_and_the_file(inbox: Inbox, client: httpx.AsyncClient) -> None:
    assert (await client.get("/newest")).json() == {"newest": ""}
    await send(inbox, written(text="See http://127.0.0.1:1/cart?code=BACK-10 soon", html="<p>Hello</p>"))
    (mail,) = inbox.messages()
    assert (await client.get("/newest")).json() == {"newest": mail.id}
    listed = (await client.get("/")).text
    assert f"/mail/{mail.id}" in listed
    assert "Your basket" in listed
    page = (await client.get(f"/mail/{mail.id}")).text
    assert "Quiet Kettle &lt;shop@example.com&gt;" in page
    assert "&lt;http://127.0.0.1:1/unsubscribe?token=t&gt;" in page
    assert 'href="http://127.0.0.1:1/cart?code=BACK-10" rel="noopener noreferrer" target="_blank"' in page
    part = await client.get(f"/mail/{mail.id}/html")
    assert "<p>Hello</p>" in part.text
    raw = await client.get(f"/mail/{mail.id}.eml")
    assert raw.content == mail.raw
    assert raw.headers["content-disposition"] == f'attachment; filename="{mail.id}.eml"'
    for missing in ("/mail/x", "/mail/x/html", "/mail/x.eml"):
        assert (await client.get(missing)).status_code == 404


async def test_what_a_mail_says_is_never_markup_of_the_inbox(inbox: Inbox, client: httpx.AsyncClient) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    message = written(subject=evil, text=f"{evil} http://x/'onmouseover='alert(3)")
    message["X-Evil"] = evil
    message.replace_header("From", '"</dd><script>alert(4)</script>" <a@example.com>')
    await send(inbox, message)
    (mail,) = inbox.messages()
    for path in ("/", f"/mail/{mail.id}"):
        page = await client.get(path)
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "unsafe-inline" not in page.headers["content-security-policy"]
    policy = (await client.get(f"/mail/{mail.id}.eml")).headers
    assert policy["x-content-type-options"] == "nosniff"


HOSTILE = """
<p id="seen">hello</p>
<script>document.title = 'ran'; parent.document.title = 'ran'; fetch('/ran')</script>
<img src="x" onerror="fetch('/ran')"><svg onload="fetch('/ran')"></svg>
<iframe src="javascript:fetch('/ran')"></iframe><iframe srcdoc="<script>fetch('/ran')</script>"></iframe>
<object data="/ran"></object><embed src="/ran"><link rel="stylesheet" href="/ran">
<img src="http://192.0.2.7/ran.gif"><style>@import '/ran'; #seen { color: rgb(1, 2, 3) }</style>
<meta http-equiv="refresh" content="0;url=/ran"><base target="_top">
<form action="/ran" method="post"><button id="post">go</button></form>
<a id="script" href="javascript:fetch('/ran')">script</a>
<a id="top" target="_top" href="/ran">top</a>
<a id="script-here" target="_self" href="javascript:fetch('/ran')">script here</a>
<a id="link" href="/?fine">link</a>
"""


class Watched:
    """An application that remembers what was asked of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await self._app(scope, receive, send)


@pytest.mark.browser
async def test_hostile_html_shows_its_text_and_does_nothing_else(inbox: Inbox, browser: Browser) -> None:
    await send(inbox, written(html=HOSTILE))
    (mail,) = inbox.messages()
    app = Watched(create_inbox(inbox))
    async with serving(app) as url:
        context = await browser.new_context()
        outside: list[tuple[str, str | None]] = []
        context.on("requestfinished", lambda r: outside.append((r.url, None)) if "192.0.2.7" in r.url else None)
        context.on("requestfailed", lambda r: outside.append((r.url, r.failure)) if "192.0.2.7" in r.url else None)
        page = await context.new_page()
        await page.goto(f"{url}/mail/{mail.id}", wait_until="networkidle")
        frame = page.frame_locator("iframe")
        assert await frame.locator("#seen").inner_text() == "hello"
        assert await frame.locator("#seen").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
        for trap in ("#post", "#top", "#script", "#script-here"):
            await frame.locator(trap).click()
        async with context.expect_page() as opened:
            await frame.locator("#link").click()
        assert (await opened.value).url.endswith("/?fine")
        assert page.url == f"{url}/mail/{mail.id}"
        assert await page.title() == "Your basket · Demo inbox"

        alone = await context.new_page()
        await alone.goto(f"{url}/mail/{mail.id}/html", wait_until="networkidle")
        for trap in ("#script", "#script-here"):
            await alone.locator(trap).click()
        assert await alone.title() == ""

        assert "/" in app.paths, "the good link was followed"
        assert "/ran" not in app.paths
        assert {failure for _, failure in outside} == {"csp"}
        await context.close()


@pytest.mark.browser
async def test_the_list_shows_a_new_mail_by_itself(inbox: Inbox, browser: Browser) -> None:
    async with serving(create_inbox(inbox)) as url:
        page = await browser.new_page()
        await page.goto(url)
        assert await page.get_by_role("heading").inner_text() == "No mail yet"
        await send(inbox, written("Come back"))
        await page.get_by_text("Come back").wait_for()


def test_only_the_newest_mails_stay_in_memory(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insights.demo.inbox.MOST_IN_MEMORY", 2)

    async def three() -> list[Mail]:
        for number in range(3):
            await send(inbox, written(f"Number {number}"))
        return inbox.messages()

    assert [mail.subject for mail in asyncio.run(three())] == ["Number 2", "Number 1"]
