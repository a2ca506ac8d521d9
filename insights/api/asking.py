"""What a decision is asked for with: a batch, the plan of its project, and what the browser told of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from insights.decisions.plan import Plan
from insights.events.wire import Batch
from insights.vocabulary.ids import DecisionId


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a decision sees it. ``locale``, ``address`` and ``browser`` are "" where they are not known."""

    batch: Batch
    plan: Plan
    decision_id: DecisionId
    locale: str
    address: str
    browser: str


def asked(
    batch: Batch, plan: Plan, decision_id: DecisionId, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]
) -> Asked:
    """What the decision ``decision_id`` on ``batch`` is asked for with."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    return Asked(batch, plan, decision_id, _locale(headers), address, headers.get(b"user-agent", b"").decode("latin-1"))


_LOCALE = re.compile(rb"^\s*([A-Za-z]{2})(?:-([A-Za-z]{2}))?").match


def _locale(headers: Mapping[bytes, bytes]) -> str:
    """The language that the browser asks for first, as de or de-AT; "" when it does not say."""
    found = _LOCALE(headers.get(b"accept-language", b""))
    if found is None:
        return ""
    language, region = found[1].decode().lower(), found[2]
    return f"{language}-{region.decode().upper()}" if region else language
