"""Who has just come is told by the ids that a browser makes when it was never here before."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from insights.events.wire import Batch, WireEvent
from insights.profiles.newcomers import just_came
from insights.vocabulary.ids import uuid7

NOW = 1_790_000_000_000


def batch(visitor: UUID, session: UUID, *, seq: int = 0, t: int = NOW) -> Batch:
    return Batch(visitor, session, [WireEvent(uuid7(t), t, "page_viewed", seq)])


def test_ids_made_at_once_and_a_first_event_are_a_newcomer() -> None:
    assert just_came(batch(uuid7(NOW + 1), uuid7(NOW), t=NOW - 3_000))


@pytest.mark.parametrize(
    ("visitor", "session", "seq", "t"),
    [
        (uuid7(NOW), uuid7(NOW), 1, NOW),
        (uuid7(NOW - 86_400_000), uuid7(NOW), 0, NOW),
        (uuid7(NOW), uuid7(NOW), 0, NOW + 60_000),
        (uuid4(), uuid7(NOW), 0, NOW),
    ],
    ids=["a later batch", "a visitor of yesterday", "another tab later", "an id that tells nothing"],
)
def test_whoever_may_have_been_here_is_none(visitor: UUID, session: UUID, seq: int, t: int) -> None:
    assert not just_came(batch(visitor, session, seq=seq, t=t))
