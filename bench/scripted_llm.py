"""An OpenAI-compatible server on loopback that answers well, badly, slowly, in drips, half or not at all."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

Reply = Callable[[dict[str, Any]], "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``pause``: seconds before it; ``drip``: seconds between bytes; ``cut``: bytes until it breaks."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    pause: float = 0.0
    drip: float = 0.0
    cut: int | None = None
    headers: str = ""


@dataclass
class Server:
    """``reply`` is asked for every request; ``requests`` are the bodies that came, while ``keep``."""

    reply: Reply
    url: str = ""
    keep: bool = False
    calls: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One kept connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.lower().split(b"\r\n")
                length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
                body = await reader.readexactly(length)
                self.calls += 1
                if self.keep:
                    self.requests.append(body)
                if not await self._send(writer, self.reply(json.loads(body))):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            return  # the loop ends while a connection is kept: nothing is wrong
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        await asyncio.sleep(answer.pause)
        head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: {answer.kind}\r\n{answer.headers}"
        writer.write(f"{head}content-length: {len(answer.body)}\r\n\r\n".encode())
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        if answer.drip:
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(answer.drip)
        else:
            writer.write(body)
        await writer.drain()
        return answer.cut is None


@asynccontextmanager
async def listening(reply: Reply) -> AsyncIterator[Server]:
    """The server on a free port of loopback."""
    server = Server(reply)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, limit=2**24)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Server]:
    """A server in a process of its own that always answers well; of ``Server`` only the address is known here."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.scripted_llm", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield Server(_well, (await process.stdout.readline()).decode().strip())
    finally:
        process.terminate()
        await process.wait()


def completion(content: Any, *, finish: str = "stop", refusal: str | None = None, **message: Any) -> Answer:
    """A chat completion with this text (or object, as JSON)."""
    text = content if content is None or isinstance(content, str) else json.dumps(content)
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, "refusal": refusal, **message},
    }
    usage = {"prompt_tokens": 2_400, "completion_tokens": 90, "total_tokens": 2_490}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return Answer(json.dumps(body).encode())


def is_converted(request: dict[str, Any]) -> bool:
    """What the first line of the visit says."""
    return str(request["messages"][1]["content"]).startswith("kind: converted")


def good(request: dict[str, Any], **change: Any) -> dict[str, Any]:
    """An answer that passes every check: unclear, or a fair price."""
    kind, reason = ("converted", "value_fit") if is_converted(request) else ("abandoned", "unclear")
    fields = {"kind": kind, "reason": reason, "confidence": 0.7, "narrative": "They looked.", "evidence": ["e1"]}
    return {"insight": fields | change}


def _lie(**change: Any) -> Reply:
    return lambda request: completion(good(request, **change))


def _other_kind(request: dict[str, Any]) -> Answer:
    kind, reason = ("abandoned", "ux_friction") if is_converted(request) else ("converted", "urgency")
    return completion(good(request, kind=kind, reason=reason))


def _raw(text: str, status: int = 200, kind: str = "application/json") -> Reply:
    return lambda request: Answer(text.encode(), status, kind)


FAULTS: Final[dict[str, Reply]] = {
    # malformed
    "no JSON": lambda r: completion("The reason is, I think, unclear."),
    "cut JSON": lambda r: completion(json.dumps(good(r))[:-9]),
    "fenced JSON": lambda r: completion("```json\n" + json.dumps(good(r)) + "\n"),
    "empty text": lambda r: completion(""),
    "no text": lambda r: completion(None),
    "NaN": lambda r: completion(json.dumps(good(r)).replace("0.7", "NaN")),
    "nested deeply": lambda r: completion("[" * 5_000),
    "a hundred kilobytes": lambda r: completion("x" * 100_000),
    "half a character": lambda r: completion(good(r, narrative="\ud800")),
    "an HTML page": _raw("<html>It works!</html>", 200, "text/html"),
    "not even HTTP's JSON": _raw('{"choices": [{"message"', 200),
    "a list": _raw("[]"),
    "no choices": _raw('{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}'),
    "choices of null": _raw('{"choices": null}'),
    "tool call": lambda r: completion(None, finish="tool_calls", tool_calls=[]),
    # refusing
    "refusal": lambda r: completion(None, refusal="I cannot help with that."),
    "content filter": lambda r: completion("", finish="content_filter"),
    # truncated
    "length": lambda r: completion(json.dumps(good(r))[:40], finish="length"),
    "broken off": lambda r: Answer(completion(good(r)).body, cut=100),
    "broken off at once": lambda r: Answer(completion(good(r)).body, cut=0),
    # slow and dripping
    "silence": lambda r: Answer(b"{}", pause=5.0),
    "dripping": lambda r: Answer(completion(good(r)).body, drip=0.05),
    "late": lambda r: Answer(completion(good(r)).body, pause=0.2),
    # errors
    "429": lambda r: Answer(b'{"error": {"message": "slow down"}}', 429, headers="retry-after: 0\r\n"),
    "429 for an hour": lambda r: Answer(b'{"error": {"message": "slow down"}}', 429, headers="retry-after: 3600\r\n"),
    "500": _raw('{"error": {"message": "oops"}}', 500),
    "502 as a page": _raw("<html>Bad Gateway</html>", 502, "text/html"),
    "400": _raw('{"error": {"message": "unknown parameter response_format"}}', 400),
    "401": _raw('{"error": {"message": "bad key"}}', 401),
    "redirect": lambda r: Answer(b"", 302, headers="location: http://127.0.0.1:9/elsewhere\r\n"),
    # lying
    "the other kind": _other_kind,
    "a reason of the other kind": lambda r: completion(good(r, reason="ux_friction" if is_converted(r) else "urgency")),
    "an unknown reason": _lie(reason="boredom"),
    "ids that are not there": _lie(evidence=["e1", "e9999", "x"]),
    "ids as numbers": _lie(evidence=[1, 2]),
    "a thousand ids": _lie(evidence=["e1"] * 1_000),
    "too sure": _lie(confidence=7),
    "sure below nothing": _lie(confidence=-1),
    "an action of its own": _lie(action="call_webhook"),
    "an empty story": _lie(narrative=" \u0000 "),
    "an endless story": _lie(narrative="x" * 100_000),
    "markup as a story": _lie(narrative="<script>alert(1)</script> https://evil.example me@evil.example"),
    "no trace of it": lambda r: completion(
        good(r, reason="recommendation_match" if is_converted(r) else "ux_friction")
    ),
}
"""What goes wrong → the answer to a request."""


def _well(request: dict[str, Any]) -> Answer:
    return completion(good(request))


async def _serve() -> None:
    async with listening(_well) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
