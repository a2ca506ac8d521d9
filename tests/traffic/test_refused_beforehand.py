"""What a listener refuses before the application begins it: as the application would, in order, and for little."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.types import Receive, Scope, Send

from adapters.postgres.engine import DatabaseUrls
from insights.access.keys import create_key
from insights.app import create_app
from insights.serving.listener import bind
from insights.serving.server import serve
from insights.settings import Settings
from insights.traffic.holds import Holds
from insights.traffic.limits import ConnectionLimits
from insights.traffic.refusal import Refusal
from insights.vocabulary.ids import uuid7
from insights.wiring.services import build
from tests.traffic.test_connections import echo

REFUSAL = Refusal([(b"retry-after", b"3"), (b"content-length", b"6")], b"later\n", 3, alone=True)


class Strict:
    """Refuses whatever is asked for below /no; what comes from elsewhere, below /no/shared."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def refusal_of(self, scope: MutableMapping[str, Any]) -> Refusal | None:
        path: str = scope["path"]
        return REFUSAL._replace(alone="shared" not in path) if path.startswith("/no") else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.begun.append(scope["path"])
        await echo(scope, receive, send)


class Noted(Holds):
    """Notes how often in a row whoever is held came too early, and holds them for ``seconds``."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.early: list[int] = []

    def begin(self, early: int = 0) -> float:
        super().begin(early)
        self.early.append(early)
        return self.seconds


class Line:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, path: str, method: str = "POST", body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)

    async def answer(self, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        """Status, headers but the date, body."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers.pop("date")
        length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
        return int(first.split()[1]), headers, await self.reader.readexactly(length)


class Served:
    """A listener. ``end`` stops it."""

    def __init__(self, port: int, stop: asyncio.Event, task: asyncio.Task[None]) -> None:
        self._port, self._stop, self._task = port, stop, task
        self._lines: list[Line] = []

    async def line(self) -> Line:
        """A connection to it."""
        self._lines.append(Line(*await asyncio.open_connection("127.0.0.1", self._port)))
        return self._lines[-1]

    async def end(self) -> None:
        self._stop.set()
        await self._task

    def hang_up(self) -> None:
        for line in self._lines:
            line.writer.close()


@asynccontextmanager
async def served(app: Any, limits: ConnectionLimits) -> AsyncIterator[Served]:
    listener = bind("127.0.0.1", 0)
    stop = asyncio.Event()
    task = asyncio.create_task(serve([(app, listener)], [], stop, connections=limits))
    one = Served(listener.getsockname()[1], stop, task)
    yield one
    one.hang_up()
    await one.end()


async def test_what_is_refused_is_not_begun_and_the_connection_goes_on() -> None:
    app = Strict()
    async with served(app, ConnectionLimits(holds=Noted())) as at:
        line = await at.line()
        for body in (b"", b"x" * 10, b"x" * 3_000_000):
            line.send("/no", body=body)
            assert await line.answer() == (429, {"retry-after": "3", "content-length": "6"}, b"later\n")
            line.send("/yes", body=b"abc")
            assert (await line.answer())[2] == b"3"
        line.send("/no", "HEAD")
        assert await line.answer("HEAD") == (429, {"retry-after": "3", "content-length": "6"}, b"")
        line.send("/no", "GET", b"", "Connection: close")
        status, headers, _ = await line.answer()
        assert (status, headers["connection"]) == (429, "close")
        assert await line.reader.read() == b""
        assert app.begun == ["/yes"] * 3


async def test_answers_keep_the_order_of_requests_that_did_not_wait_for_each_other() -> None:
    app = Strict()
    async with served(app, ConnectionLimits(holds=Noted(0.05))) as at:
        line = await at.line()
        paths = ["/no", "/yes", "/no", "/no", "/yes", "/yes", "/no"]
        for place, path in enumerate(paths):
            line.send(path, body=b"x" * place)
        answers = [await line.answer() for _ in paths]
        assert [status for status, _, _ in answers] == [429, 200, 429, 429, 200, 200, 429]
        assert [body for status, _, body in answers if status == 200] == [b"1", b"4", b"5"]
        assert app.begun == ["/yes"] * 3


async def test_who_is_held_and_leaves_is_forgotten() -> None:
    holds = Noted(60.0)
    async with served(Strict(), ConnectionLimits(each=20, holds=holds)) as at:
        lines = [await at.line() for _ in range(20)]
        for line in lines:
            line.send("/no")
        async with asyncio.timeout(5):
            while holds.held < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            at.hang_up()
            while holds.held:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            # None of them counts as a connection of this address any more.
            again = await at.line()
            again.send("/yes")
            assert (await again.answer())[0] == 200


async def test_the_end_of_a_process_does_not_wait_for_who_is_held() -> None:
    holds = Noted(60.0)
    async with served(Strict(), ConnectionLimits(holds=holds)) as at:
        line = await at.line()
        line.send("/no")
        async with asyncio.timeout(5):
            while not holds.held:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await at.end()
        status, headers, _ = await line.answer()
        assert (status, headers["connection"]) == (429, "close")


async def test_who_comes_back_before_they_were_told_to_is_known_by_their_connection() -> None:
    holds = Noted()
    async with served(Strict(), ConnectionLimits(holds=holds)) as at:
        line, other = await at.line(), await at.line()
        for _ in range(3):
            line.send("/no")
            await line.answer()
        other.send("/no")
        await other.answer()
        assert holds.early == [0, 1, 2, 0]
        # Nothing is known of those behind a proxy: its connections are everybody's.
        for _ in range(2):
            other.send("/no/shared")
            await other.answer()
        assert holds.early[4:] == [0, 0]


async def test_a_body_that_drips_is_cut_even_while_its_request_is_held() -> None:
    async with served(Strict(), ConnectionLimits(seconds=0.5, holds=Noted(60.0))) as at:
        line = await at.line()
        line.writer.write(b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await asyncio.wait_for(line.reader.read(), 10)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("limit", ["key", "address", "operation"])
async def test_an_application_refuses_beforehand_just_as_it_does_later(
    database_urls: DatabaseUrls, tmp_path: Path, limit: str
) -> None:
    # Two at once, and so little a second that it does not matter how long the test takes.
    rates: dict[str, Any] = {f"{limit}_requests_per_second": 0.01, "burst_seconds": 200.0}
    services = build(Settings(data_dir=tmp_path, public_url="https://whyleft.example", **rates), database_urls)
    async with served(create_app(services), services.traffic.connections) as at:
        name = f"shop-{uuid4()}"
        write = await create_key(services.database, name, "write", ["https://shop.example"])
        secret = await create_key(services.database, name, "secret", [])
        sent = {
            "key": ("POST", f"/v1/events?key={write.key}", "Origin: https://shop.example"),
            "address": ("POST", f"/v1/events?key={write.key}", "X-Forwarded-For: 198.51.100.7"),
            "operation": ("GET", "/v1/flows", f"Authorization: Bearer {secret.key}"),
        }
        method, path, header = sent[limit]
        line = await at.line()
        batch = json.dumps({"visitor": str(uuid4()), "session": str(uuid7()), "events": []}).encode()
        answers = []
        for _ in range(4):
            line.send(path, method, batch, header)
            answers.append(await line.answer())
        assert [status for status, _, _ in answers[:2]] == [200, 200]
        later, beforehand = answers[2:]
        assert later[0] == beforehand[0] == 429
        assert later[1].keys() == beforehand[1].keys()
        changing = ("retry-after", "content-length")
        assert {name: later[1][name] for name in later[1] if name not in changing} == {
            name: beforehand[1][name] for name in beforehand[1] if name not in changing
        }
        assert int(beforehand[1]["retry-after"]) >= 1
        assert beforehand[1]["access-control-allow-origin"] == "*"
        assert beforehand[1]["access-control-expose-headers"] == "retry-after"
        assert beforehand[1]["strict-transport-security"]
        assert json.loads(beforehand[2]) | {"detail": ""} == json.loads(later[2]) | {"detail": ""}
        if limit == "key":
            line.send(path, "OPTIONS", b"", header)
            assert (await line.answer())[0] == 429
            assert services.traffic.turned_away == 3
            assert services.meters.requests.answers[429] == 3
        if limit == "address":
            # What decides whether a process lives is never turned away.
            line.send("/healthz", "GET", b"", header)
            assert (await line.answer())[0] == 200
        assert services.traffic.holds.held == 0
