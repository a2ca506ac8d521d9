"""A tiny HTTP server on a real socket that takes events as the API does, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

WRITE_KEY = "wl_w_right"
SECRET_KEY = "wl_s_right"


class FaultyApi:
    """Keeps what it acknowledged over its own restarts, as a database would.

    ``faults`` maps the number of a batch, counted as they arrive, to what happens to it: ``unavailable`` is a 503,
    ``hang_up`` loses it, ``forgets_to_answer`` stores it and then hangs up, ``crash`` also stops listening for a
    moment, ``refuse`` is a 400.
    """

    def __init__(self, faults: dict[int, str] | None = None) -> None:
        self.faults = faults or {}
        self.arrived = 0
        self.stored: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.closed: list[str] = []
        self.closed_early: list[str] = []
        self.on_batch: Callable[[int], None] = lambda _: None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._restarts: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens, or will again."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultyApi:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._restarts)
        await self._stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _restart(self) -> None:
        await self._stop()
        await asyncio.sleep(0.2)
        await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = lines[0].split(" ")
                answer = self._answer(method, path, headers.get("authorization", ""), body)
                if answer is None:
                    writer.transport.abort()
                    return
                status, document = answer
                content = json.dumps(document).encode()
                writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, method: str, path: str, key: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        wanted = WRITE_KEY if path == "/v1/events" else SECRET_KEY
        if key != f"Bearer {wanted}":
            return 401, {"detail": "This key is unknown or was revoked. Make another one."}
        if path == "/v1/events":
            return self._take(json.loads(body))
        if method == "GET":
            return 200, {"sessions": []}
        session = path.split("/")[3]
        if session not in self.stored:
            return 404, {"detail": "There is no such session."}
        self.closed.append(session)
        return 202, {"id": session}

    def _take(self, batch: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        events = batch["events"]
        if not events:
            return 200, {"accepted": 0, "duplicates": 0, "rejected": [], "action": None}
        self.arrived += 1
        self.on_batch(self.arrived)
        fault = self.faults.get(self.arrived)
        if fault == "unavailable":
            return 503, {"detail": "The database cannot be reached."}
        if fault == "refuse":
            return 400, {"detail": "session: is not to its liking."}
        if fault == "hang_up":
            return None
        if batch["session"] in self.closed:
            self.closed_early.append(batch["session"])
        stored = self.stored[batch["session"]]
        new = {event["id"]: event for event in events if event["id"] not in stored}
        stored.update(new)
        if fault == "crash":
            restart = asyncio.get_running_loop().create_task(self._restart())
            self._restarts.add(restart)
        if fault in ("crash", "forgets_to_answer"):
            return None
        return 200, {"accepted": len(new), "duplicates": len(events) - len(new), "rejected": [], "action": None}
