"""What all parts of this bench ask with: the real client at a scripted server, a visit, how long they wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from adapters.llm.breaker import Breaker
from adapters.llm.openai_client import OpenAiModel
from bench.report import Figure
from bench.scripted_llm import Server
from insights.timeline.assemble import assemble
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.ids import uuid7, uuid7_from_key

DEADLINE: Final = timedelta(seconds=1)
PATIENT: Final = timedelta(seconds=20)
START: Final = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def model_at(server: Server) -> OpenAiModel:
    """The real client; its breaker never opens, so that every fault is met."""
    return OpenAiModel(base_url=server.url, api_key="k", model="m", breaker=Breaker(failures=10**9))


def timeline_of(steps: Sequence[tuple[str, dict[str, Any]]], project_id: UUID | None = None) -> Timeline:
    """A visit of these events, one every three seconds."""
    ms = int(START.timestamp() * 1000)
    events = [
        TimelineEvent(
            uuid7_from_key(ms, f"{n}"), START + timedelta(seconds=3 * n), type, "t", n, "https://s.example/p", p
        )
        for n, (type, p) in enumerate(steps)
    ]
    return assemble(project_id or uuid4(), uuid7(), uuid4(), events)


def broken_shop(stranger: str) -> list[tuple[str, dict[str, Any]]]:
    """A broken shop, with ``stranger`` wherever a stranger can write."""
    return [
        ("page_viewed", {"path": "/p", "url": f"https://s.example/p?utm_source={stranger}", "title": stranger}),
        ("product_viewed", {"product_id": "p", "name": stranger, "category": stranger, "price_minor": 900}),
        ("searched", {"query": stranger, "results": 3}),
        ("clicked", {"selector": "a", "label": stranger, "heading": stranger}),
        ("promo_seen", {"kind": "code", "text": stranger}),
        *(("request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 300}) for _ in range(3)),
        ("session_ended", {"reason": "closed"}),
    ]


def bound(name: str, value: float, unit: str, most: float, n: int | None = None) -> Figure:
    """A figure that must not be above ``most``."""
    return Figure(name, value, unit, bar=most, holds=value <= most, n=n)
