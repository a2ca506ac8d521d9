"""Real servers on loopback whose answers a test may script: a mail server and a webhook receiver."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class MailServer:
    """aiosmtpd. ``answers``: verb ("MAIL", "RCPT", "DATA") → the reply, or "drop" (hang up) or "hang" (say nothing).

    "drop after" and "hang after" take the mail first: the reply alone is lost.
    """

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._reply("MAIL", server, "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self._reply("RCPT", server, "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers.get("DATA", "250")[:1] == "2" or self.answers["DATA"].endswith(" after"):
            self.raw.append(cast(bytes, envelope.content))
            self.mails.append(cast(EmailMessage, BytesParser(policy=default).parsebytes(self.raw[-1])))
            self.recipients.extend(envelope.rcpt_tos)
        return await self._reply("DATA", server, "250 OK")

    async def _reply(self, verb: str, server: SMTP, otherwise: str) -> str:
        answer = self.answers.get(verb, otherwise)
        if answer.startswith("hang"):
            await asyncio.sleep(60)
        if answer.startswith("drop"):
            cast(asyncio.Transport, server.transport).abort()
        return answer


@asynccontextmanager
async def mail_server(
    *, login: Callable[[str, bytes], bool] | None = None, **options: Any
) -> AsyncIterator[MailServer]:
    """A mail server on a free port; ``login`` decides on user and password."""
    state = MailServer()
    loop = asyncio.get_running_loop()
    transports: list[SMTP] = []

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert login is not None
        return AuthResult(success=login(data.login.decode(), data.password), handled=False)

    if login is not None:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}

    def connection() -> SMTP:
        state.connections += 1
        with warnings.catch_warnings():
            # aiosmtpd warns of a login without encryption; on loopback that is what is wanted.
            warnings.simplefilter("ignore")
            transports.append(SMTP(state, loop=loop, **options))
        return transports[-1]

    server = await loop.create_server(connection, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for protocol in transports:
            # An encrypted one that has ended already has nothing left to be aborted; some Pythons raise there.
            if protocol.transport is not None and not protocol.transport.is_closing():
                protocol.transport.abort()
            handler = protocol._handler_coroutine
            if handler is not None:
                handler.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await handler
        await server.wait_closed()


@dataclass
class Hook:
    """One request as it arrived; header names in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HookServer:
    """``answer`` is sent as it stands (a whole HTTP response); b"" hangs up instead, None says nothing."""

    answer: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    hooks: list[Hook] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?shop=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.hooks.append(Hook(head[0].split(" ")[1], headers, body))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def hook_server() -> AsyncIterator[HookServer]:
    """A webhook receiver on a free port."""
    state = HookServer()
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await server.wait_closed()


def status(code: int, *headers: str, body: str = "") -> bytes:
    """An HTTP response."""
    lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", body]).encode()
