"""One visitor's visits in batches, and orders in which these may arrive: late, twice, shuffled, closed in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from hypothesis import Phase
from hypothesis import strategies as st

from insights.events.wire import WireEvent
from insights.vocabulary.ids import uuid7
from tests.profiles.happenings import HAPPENINGS, SHOP

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes a while on a real database; looking for a smaller one would take minutes."""

PAUSE = -1
"""In an order of arrival: time passes, and what is due is closed."""

FAILURE = ("request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 300})
MOMENTS = [*(item for item in HAPPENINGS if item[0] != "refunded"), FAILURE, FAILURE]


@dataclass(frozen=True)
class Step:
    """Something that happens ``after`` milliseconds, in visit number ``visit``, in one of two tabs."""

    visit: int
    tab: str
    after: int
    kind: str
    props: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """What one request brings."""

    visitor: UUID
    session: UUID
    tab: str
    events: tuple[WireEvent, ...]


@st.composite
def stories(draw: st.DrawFn, visits: int = 2) -> list[list[Step]]:
    """Batches of steps, in the order in which they happened."""
    batches = []
    for visit in range(draw(st.integers(1, visits))):
        for _ in range(draw(st.integers(1, 4))):
            tab = draw(st.sampled_from("ab"))
            kinds = draw(st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=4))
            batches.append([Step(visit, tab, draw(st.sampled_from([1, 4_000, 9_000])), *kind) for kind in kinds])
    return batches


@st.composite
def arrivals(draw: st.DrawFn, batches: int) -> list[int]:
    """Every batch at least once, by its number, in any order, with copies and pauses."""
    copies = draw(st.lists(st.integers(0, batches - 1), max_size=3))
    pauses = [PAUSE] * draw(st.integers(0, 2))
    return draw(st.permutations([*range(batches), *copies, *pauses]))


def told(story: Sequence[Sequence[Step]], start_ms: int, devices: int = 1) -> list[Batch]:
    """The batches of a story that begins at ``start_ms``, of a person who is new each time. Visits are a day apart, and
    go round the person's devices."""
    visitors, sessions = [uuid4() for _ in range(devices)], {}
    at, seq, batches = start_ms, 0, []
    for steps in story:
        if steps[0].visit not in sessions:
            at = start_ms + steps[0].visit * 86_400_000
            sessions[steps[0].visit] = uuid7(at)
        events = []
        for step in steps:
            at += step.after
            seq += 1
            props = dict(step.props)
            if "email" in props:
                # An address of their own: whoever shares one is the same person.
                props["email"] = f"{visitors[0]}@example.org"
            if "order_id" in props:
                # As an order: one that others told of first would be no order of theirs.
                props["order_id"] = f"{visitors[0]}/{props['order_id']}"
            events.append(WireEvent(id=uuid7(at), t=at, type=step.kind, seq=seq, props=props, url=f"{SHOP}/product/a"))
        visit = steps[0].visit
        batches.append(Batch(visitors[visit % devices], sessions[visit], steps[0].tab, tuple(events)))
    return batches
