"""The demo's local inbox: takes every mail that is sent to it over SMTP, keeps it as a file, and shows it.

Nothing is sent on to anybody. The pages live in ``inbox_pages``.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from insights.demo.headers import SecurityHeaders
from insights.demo.mail import Mail, read_mail
from insights.demo.templates import page_templates
from insights.errors import WhyleftError

log = structlog.get_logger()

PAGES: Final = Path(__file__).parent / "inbox_pages"
LARGEST_MAIL: Final = 5_000_000
MOST_IN_MEMORY: Final = 1_000
START_SECONDS: Final = 30
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The HTML of a mail is a page of its own with an origin of its own: no script, no form, and pictures only from this
# machine. Its links may open new tabs, and those are ordinary tabs: a recovery mail leads back into the shop.
MAIL_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data: http://127.0.0.1:* http://localhost:*; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_ID_FORMAT: Final = "%Y%m%dT%H%M%S%f"


class InboxNotStarted(WhyleftError):
    """The inbox cannot listen, or cannot write its folder."""

    title = "The inbox did not start"


class PortTaken(InboxNotStarted):
    """Another program listens on the inbox's port."""


class Inbox:
    """An SMTP server on its own thread and the mails it received.

    ``start`` returns when mail can be sent to ``host``:``port``; ``stop`` when the port is free again. Both may be
    called from any thread. Mails of an earlier run in the same folder are there again after ``start``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: dict[str, Mail] = {}
        self._folder = Path()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self.host = ""
        self.port = 0

    def start(self, host: str, port: int, folder: Path) -> None:
        """Listen on ``host``:``port`` (0: any free one, see ``port`` afterwards) and keep mails in ``folder``.

        Raises PortTaken, or InboxNotStarted for anything else that is in the way.
        """
        if self._thread is not None:
            raise InboxNotStarted("The inbox is running already. Stop it before starting it again.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mails = _mails_in(folder)
        except OSError as error:
            raise InboxNotStarted(
                f"The inbox cannot keep mails in {folder} ({error.strerror}). Choose a folder it may write to."
            ) from error
        listener = _listen(host, port)
        self.host, self.port = host, int(listener.getsockname()[1])
        self._folder = folder
        with self._lock:
            self._mails = mails
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="whyleft-inbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(START_SECONDS):
            raise InboxNotStarted("The inbox did not start in time. Start it again when the machine is less busy.")
        log.info("inbox_started", host=host, port=self.port, mails=len(mails))

    def stop(self) -> None:
        """Stop listening and hang up on whoever is connected. Mails stay. Does nothing when not running."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = self._loop = self._stopping = None
        log.info("inbox_stopped", port=self.port)

    def messages(self) -> list[Mail]:
        """The newest mails, at most MOST_IN_MEMORY, newest first. Older ones are in the folder."""
        with self._lock:
            return list(reversed(self._mails.values()))

    def find(self, mail_id: str) -> Mail | None:
        with self._lock:
            return self._mails.get(mail_id)

    @property
    def folder(self) -> Path:
        return self._folder

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        connections: set[_Connection] = set()
        server = await self._loop.create_server(lambda: _Connection(self, connections), sock=listener)
        ready.set()
        await self._stopping.wait()
        server.close()
        for connection in list(connections):
            connection.hang_up()
        await server.wait_closed()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd for each mail; the answer goes to the sender. A mail is on disk before it is accepted."""
        try:
            mail_id = self._keep(
                bytes(envelope.original_content or b""), envelope.mail_from or "", tuple(envelope.rcpt_tos)
            )
        except OSError as error:
            log.error("mail_not_kept", reason=error.strerror)
            return "452 4.3.1 The inbox cannot write its folder; try again later"
        log.info("mail_received", id=mail_id, recipients=len(envelope.rcpt_tos))
        return f"250 2.0.0 Kept as {mail_id}"

    def _keep(self, content: bytes, sender: str, recipients: tuple[str, ...]) -> str:
        received_at = datetime.now(UTC)
        mail_id = f"{received_at.strftime(_ID_FORMAT)}Z-{secrets.token_hex(3)}"
        # Who it was for is not in the mail itself: a mail server writes it on top, where it survives a restart.
        trace = [f"Return-Path: <{sender}>", *(f"Delivered-To: {recipient}" for recipient in recipients)]
        raw = "".join(f"{line}\r\n" for line in trace).encode("utf-8", "replace") + content
        part = self._folder / f"{mail_id}.part"
        part.write_bytes(raw)
        part.rename(self._folder / f"{mail_id}.eml")
        mail = read_mail(raw, id=mail_id, received_at=received_at, envelope_from=sender, envelope_to=recipients)
        with self._lock:
            self._mails[mail_id] = mail
            while len(self._mails) > MOST_IN_MEMORY:
                del self._mails[next(iter(self._mails))]
        return mail_id


class _Connection(SMTP):
    """One SMTP conversation, known to the inbox so that it can be ended."""

    def __init__(self, inbox: Inbox, connections: set[_Connection]) -> None:
        super().__init__(inbox, data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True, ident="Whyleft demo inbox")
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()


def create_inbox(inbox: Inbox, *, shop_url: str | None = None) -> Starlette:
    """The pages: the list at ``/``, a mail at ``/mail/<id>``, as it came at ``/mail/<id>.eml``.

    ``shop_url`` is linked where there is no mail yet.
    """
    templates = page_templates(PAGES)
    templates.globals["shop_url"] = shop_url

    def page(name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        body = templates.get_template(name).render(inbox=inbox, newest=_newest(inbox), **context)
        # Two readings of a damaged mail can leave half characters behind: show a mark instead of failing the page.
        return HTMLResponse(body.encode("utf-8", "replace"), status_code=status)

    def missing() -> Response:
        return page("missing.html", status=404)

    async def mail_list(request: Request) -> Response:
        return page("list.html", mails=inbox.messages())

    async def one_mail(request: Request) -> Response:
        mail = inbox.find(request.path_params["mail_id"])
        return missing() if mail is None else page("mail.html", mail=mail)

    async def html_part(request: Request) -> Response:
        mail = inbox.find(request.path_params["mail_id"])
        if mail is None or mail.html is None:
            return missing()
        # The first base wins: links open a tab, never the frame they are in.
        body = '<!doctype html><base target="_blank">' + mail.html
        return HTMLResponse(body.encode("utf-8", "replace"), headers={"Content-Security-Policy": MAIL_POLICY})

    async def raw(request: Request) -> Response:
        mail = inbox.find(request.path_params["mail_id"])
        if mail is None:
            return missing()
        return Response(
            mail.raw,
            media_type="message/rfc822",
            headers={"Content-Disposition": f'attachment; filename="{mail.id}.eml"'},
        )

    async def newest(request: Request) -> Response:
        return JSONResponse({"newest": _newest(inbox)}, headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/", mail_list),
            Route("/newest", newest),
            Route("/mail/{mail_id}.eml", raw),
            Route("/mail/{mail_id}/html", html_part),
            Route("/mail/{mail_id}", one_mail),
            Mount("/assets", StaticFiles(directory=PAGES / "assets")),
        ],
        middleware=[Middleware(SecurityHeaders, policy=PAGE_POLICY)],
    )


def _newest(inbox: Inbox) -> str:
    mails = inbox.messages()
    return mails[0].id if mails else ""


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise InboxNotStarted(f"{port} is no port. Choose another address or port: ports go from 1 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} on {host} is taken, so the inbox cannot listen there. "
                "Stop the program that uses it, or choose another port for the inbox."
            ) from error
        raise InboxNotStarted(
            f"The inbox cannot listen on {host}:{port} ({error.strerror}). Choose another address or port."
        ) from error


def _mails_in(folder: Path) -> dict[str, Mail]:
    """The newest mails of earlier runs, oldest first. Files with other names are not ours and are left alone."""
    mails = {}
    for path in sorted(folder.glob("*Z-*.eml"))[-MOST_IN_MEMORY:]:
        try:
            received_at = datetime.strptime(path.stem.partition("Z-")[0], _ID_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            continue
        raw = path.read_bytes()
        head = raw.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace").splitlines()
        sender = next((line[13:].strip(" <>") for line in head if line.startswith("Return-Path:")), "")
        recipients = tuple(line[13:].strip() for line in head if line.startswith("Delivered-To:"))
        mails[path.stem] = read_mail(
            raw, id=path.stem, received_at=received_at, envelope_from=sender, envelope_to=recipients
        )
    return mails
