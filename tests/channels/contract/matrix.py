"""The fault matrix: every way in which a provider goes wrong, against every kind, and what it must mean.

`python -m bench.channels` prints it as a table; the contract tests hold each cell.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from adapters.channels.contract import Accepted, Rejected, Result, Retry, Unknown
from tests.channels.contract.examples.example import Example
from tests.channels.contract.far_side import Fault, Reply, full_house, line_to, provider

PAGE: Final = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class FaultRow:
    """A fault and its usual meaning. ``reply`` None: the provider's own good answer, gone wrong by ``how``."""

    reply: Reply | None
    means: type[Result]
    how: Fault = ""
    waits: bool = False


FAULTS: Final[dict[str, FaultRow]] = {
    "nobody listens": FaultRow(None, Retry, "refuse"),
    "no answer in time, before it was taken": FaultRow(None, Retry, "full"),
    "no answer in time, after it was taken": FaultRow(None, Unknown, "hang"),
    "taken, then hung up": FaultRow(None, Unknown, "drop"),
    "429 with Retry-After": FaultRow(Reply(429, {"message": "slow down"}, {"Retry-After": "120"}), Retry, waits=True),
    "429 without Retry-After": FaultRow(Reply(429, {"message": "slow down"}), Retry),
    "400": FaultRow(Reply(400, {"message": "bad request"}), Rejected),
    "token expired (401)": FaultRow(Reply(401, {"message": "expired"}), Retry),
    "500": FaultRow(Reply(500, {"message": "oops"}), Unknown),
    "503": FaultRow(Reply(503, {"message": "maintenance"}), Retry),
    "a page inside 200": FaultRow(Reply(200, "<html>Welcome to the hotel</html>", PAGE), Unknown),
    "a page with 502": FaultRow(Reply(502, "<html>Bad gateway</html>", PAGE), Unknown),
    "a page with 403": FaultRow(Reply(403, "<html>Blocked</html>", PAGE), Retry),
    "half of a 200's body": FaultRow(Reply(200, {"a": "b" * 400}), Unknown, "truncate"),
    "a redirect": FaultRow(Reply(302, b"", {"Location": "http://169.254.169.254/"}), Rejected),
}


@dataclass(frozen=True)
class Cell:
    """What a kind made of a fault. ``arrived``: how many sends the provider took in."""

    kind: str
    fault: str
    expected: str
    result: Result
    arrived: int

    @property
    def right(self) -> bool:
        return type(self.result).__name__ == self.expected


async def struck(example: Example, fault: str) -> Cell:
    """Sends once at a provider with that fault."""
    row = FAULTS[fault]
    expected = example.faults.get(fault, row.means).__name__
    async with provider() as far, contextlib.AsyncExitStack() as stack:
        reply = row.reply or example.accepted
        far.replies = {**example.beside, example.send: Reply(reply.status, reply.body, reply.headers, row.how)}
        port = 1 if row.how == "refuse" else far.port
        if row.how == "full":
            port = stack.enter_context(full_house())
        channel = example.open(line_to(port, timeout=0.3 if row.how in ("hang", "full") else 5.0))
        result = await channel.send(example.intent())
        return Cell(example.kind, fault, expected, result, sends(example, far.arrived))


async def answered(example: Example, case: str) -> tuple[Result, int]:
    """Sends once at a provider that gives one of its own answers."""
    async with provider() as far:
        far.replies = {**example.beside, example.send: example.cases[case].reply}
        result = await example.open(line_to(far.port)).send(example.intent())
        return result, sends(example, far.arrived)


def sends(example: Example, calls: object) -> int:
    """How many of ``calls`` were sends."""
    method, _, path = example.send.partition(" ")
    assert isinstance(calls, list)
    return sum(call.method == method and call.path.startswith(path) for call in calls)


def is_accepted(result: Result) -> bool:
    return isinstance(result, Accepted)
