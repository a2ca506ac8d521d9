"""A real HTTP server that speaks chat.completions, well or badly, as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Endpoint:
    """``replies`` are given in order, the last one for ever; ``requests`` are the bodies that came."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.replies: list[Any] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                self.requests.append(json.loads(await reader.readexactly(length)))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                await self._answer(writer, reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, reply: Any) -> None:
        if reply == "silence":
            await asyncio.sleep(30)
        status, kind, body = 200, "application/json", b""
        if isinstance(reply, bytes):
            status, kind, body = 502, "text/html", reply
        else:
            message = {"role": "assistant", "content": None, "refusal": None}
            message |= reply if isinstance(reply, dict) and "refusal" in reply else {"content": _text(reply)}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            completion["usage"] = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
            body = json.dumps(completion).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode())
        if reply == "drip":
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.2)
        writer.write(body)
        await writer.drain()


def _text(reply: Any) -> str:
    return reply if isinstance(reply, str) else json.dumps({"insight": reply})


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    """The endpoint on a free loopback port."""
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.handle, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield endpoint
    finally:
        server.close()
