"""Lulls: what floods goes on while nothing of others is under way, in order, and never waits for long."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest

from insights.events.lulls import LONGEST_SECONDS, Lulls

LOUD = uuid4()


class Others:
    """Whether something of theirs is under way."""

    def __init__(self) -> None:
        self.busy = False

    def __call__(self, project_id: UUID) -> bool:
        assert project_id == LOUD
        return self.busy


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def lulls(others: Others) -> Lulls:
    return Lulls(others)


async def test_alone_nobody_waits(lulls: Lulls) -> None:
    done: list[int] = []
    lulls.run(LOUD, partial(done.append, 1))
    assert done == [1]
    await lulls.come(LOUD)


async def test_what_waits_goes_on_in_order_once_the_others_are_through_and_lets_them_in_between(
    lulls: Lulls, others: Others
) -> None:
    others.busy = True
    done: list[int] = []
    for number in range(4):
        lulls.run(LOUD, partial(done.append, number))
    lulls.ended()
    await asyncio.sleep(0)
    assert done == []
    others.busy = False
    lulls.ended()
    await asyncio.sleep(0)
    assert done == [0]
    # Who comes now stands behind those who wait.
    lulls.run(LOUD, partial(done.append, 4))
    await asyncio.sleep(0)
    assert done == [0, 1]
    others.busy = True
    await asyncio.sleep(0)
    assert done == [0, 1]
    others.busy = False
    lulls.ended()
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == [0, 1, 2, 3, 4]


async def test_beside_others_who_are_never_through_it_waits_so_long_and_no_longer(lulls: Lulls, others: Others) -> None:
    others.busy = True
    gone = asyncio.create_task(lulls.come(LOUD))
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(100 * LONGEST_SECONDS):
        await asyncio.gather(*(lulls.come(LOUD) for _ in range(20)))
    assert gone.cancelled()
