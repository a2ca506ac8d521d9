"""What a decision is asked for with: a batch, the plan of its project, and what the browser told of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from msgspec import Struct

from insights.decisions.plan import Plan
from insights.decisions.set_aside import device_key
from insights.events.wire import Batch

_LOCALE = re.compile(rb"^\s*([A-Za-z]{2,3})(?:-[A-Za-z]{4})?(?:-([A-Za-z]{2}))?(?![A-Za-z0-9])").match
"""A language, its script, its region (RFC 5646)."""


class Asked(Struct, frozen=True):
    """A request as a decision sees it. What only some decisions need is read when one needs it."""

    batch: Batch
    plan: Plan
    scope: MutableMapping[str, Any]
    headers: Mapping[bytes, bytes]

    @property
    def locale(self) -> str:
        """The language that the browser asks for first, as de, de-AT or fil; "" when it does not say."""
        accepted = self.headers.get(b"accept-language")
        found = None if accepted is None else _LOCALE(accepted)
        if found is None:
            return ""
        language, region = found[1].decode().lower(), found[2]
        return f"{language}-{region.decode().upper()}" if region else language

    @property
    def device(self) -> bytes:
        """Stands for the device that asks, by its address and browser."""
        client = self.scope.get("client")
        browser = self.headers.get(b"user-agent", b"").decode("latin-1")
        return device_key(self.plan.salt, str(client[0]) if client else "", browser)
