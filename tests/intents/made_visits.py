"""Visits whose outcome follows a rule that the tests know."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from insights.intents.examples import Example, examples
from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.ids import uuid7_from_key

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = ("purchased", {"order_id": "1", "value_minor": 5000, "currency": "EUR"})
Step = tuple[str, dict[str, Any]]
PAGE: Step = ("page_viewed", {"path": "/"})
PRODUCT: Step = ("product_viewed", {"product_id": "shoe", "category": "shoes", "price_minor": 5000})


def visit(number: int, steps: Sequence[Step]) -> tuple[UUID, list[TimelineEvent]]:
    """(session id, events): the visits are ten minutes apart, their events five seconds."""
    began = BEGAN + timedelta(minutes=10 * number)
    session = uuid7_from_key(int(began.timestamp() * 1000), str(number))
    events = [
        TimelineEvent(UUID(int=number * 1_000 + n + 1), began + timedelta(seconds=5 * n), type_, seq=n, props=props)
        for n, (type_, props) in enumerate(steps)
    ]
    return session, events


def ruled(count: int, seed: int = 1) -> list[list[Step]]:
    """Half of the visitors read reviews; of these two thirds order in the end, of the others one in ten."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        reads = rng.random() < 0.5
        steps = [PAGE, PRODUCT, *([("reviews_viewed", {"count": 3})] * 2 if reads else [("scrolled", {"depth": 0.5})])]
        steps += [PAGE, PRODUCT] * rng.randrange(3)
        if rng.random() < (0.66 if reads else 0.1):
            steps += [("cart_added", PRODUCT[1]), ORDER]
        made.append(steps)
    return made


def of_visits(visits: Sequence[Sequence[Step]]) -> list[Example]:
    """Their examples, each visit of another visitor."""
    return [example for n, steps in enumerate(visits) for example in examples([visit(n, steps)])]
