"""The form of an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from adapters.channels.contract import Channel, Result, SendIntent
from adapters.channels.kinds import open_channel
from adapters.channels.line import Line
from tests.channels.contract.far_side import Call, Reply


@dataclass(frozen=True)
class Case:
    """An answer of this provider that means something of its own, and a word that its sentence must hold."""

    reply: Reply
    means: type[Result]
    says: str


@dataclass(frozen=True)
class Example:
    """``reference`` is where the provider documents the call, ``read_on`` when its shape was taken from there.

    ``send``: "METHOD /path" of the call that does it (faults strike there alone); ``beside``: replies to other calls
    that it needs, such as a token or a search that finds nothing. ``found``: replies to the search of a lookup that
    finds the message, where there is one. ``sent``: whether the request that arrived says what it must. ``impossible``:
    content that cannot be sent at all. ``faults``: where this channel means another than the usual result, by fault.
    """

    kind: str
    reference: str
    read_on: date
    settings: dict[str, Any]
    credentials: dict[str, Any]
    recipient: str | None
    content: dict[str, Any]
    impossible: dict[str, Any]
    send: str
    accepted: Reply
    sent: Callable[[Call], bool]
    provider_id: str | None = None
    beside: dict[str, Reply] = field(default_factory=dict)
    found: dict[str, Reply] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    faults: dict[str, type[Result]] = field(default_factory=dict)

    def intent(self, key: str = "7b1f6a34-6c0e-4f0e-9d4e-0a4f7a0c1b11", **changes: Any) -> SendIntent:
        return SendIntent(key, self.recipient, {**self.content, **changes})

    def open(self, line: Line) -> Channel:
        return open_channel(self.kind, self.settings, self.credentials, line)
