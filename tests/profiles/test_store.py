from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from insights.profiles.in_memory import ProfilesInMemory
from insights.profiles.profile import Profile
from insights.profiles.store import Copy


class Loader:
    """Loads when it is let go, and counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.go = asyncio.Event()
        self.error = error

    async def __call__(self) -> Copy:
        self.calls += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return Copy(Profile(pages=self.calls))


async def test_callers_that_meet_share_one_load_and_one_profile() -> None:
    profiles, load = ProfilesInMemory(), Loader()
    project, visitor = uuid4(), uuid4()
    waiting = [asyncio.create_task(profiles.take(project, visitor, load)) for _ in range(20)]
    await asyncio.sleep(0)
    load.go.set()
    got = await asyncio.gather(*waiting)
    assert load.calls == 1
    assert all(copy is got[0] for copy in got)
    assert await profiles.take(project, visitor, load) is got[0]


async def test_visitors_are_loaded_side_by_side() -> None:
    profiles, load = ProfilesInMemory(), Loader()
    project = uuid4()
    waiting = [asyncio.create_task(profiles.take(project, uuid4(), load)) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert load.calls == 3
    load.go.set()
    await asyncio.gather(*waiting)
    assert len(profiles) == 3


async def test_a_failed_load_reaches_every_caller_and_is_tried_again() -> None:
    profiles, load = ProfilesInMemory(), Loader(ConnectionError("the database is gone"))
    project, visitor = uuid4(), uuid4()
    waiting = [asyncio.create_task(profiles.take(project, visitor, load)) for _ in range(3)]
    await asyncio.sleep(0)
    load.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)
    assert len(profiles) == 0
    load.error = None
    assert (await profiles.take(project, visitor, load)).profile.pages == 2


async def test_a_caller_who_gives_up_takes_nobody_elses_answer_away() -> None:
    profiles, load = ProfilesInMemory(), Loader()
    project, visitor = uuid4(), uuid4()
    first = asyncio.create_task(profiles.take(project, visitor, load))
    second = asyncio.create_task(profiles.take(project, visitor, load))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    load.go.set()
    assert (await second).profile.pages == 1
    assert load.calls == 1


async def test_a_visitor_forgotten_while_loading_is_not_kept() -> None:
    profiles, load = ProfilesInMemory(), Loader()
    project, visitor = uuid4(), uuid4()
    waiting = asyncio.create_task(profiles.take(project, visitor, load))
    await asyncio.sleep(0)
    profiles.forget(project, visitor)
    load.go.set()
    await waiting
    assert len(profiles) == 0


async def test_memory_is_bounded() -> None:
    profiles, load = ProfilesInMemory(capacity=5), Loader()
    load.go.set()
    for _ in range(20):
        await profiles.take(uuid4(), uuid4(), load)
    assert len(profiles) == 5
