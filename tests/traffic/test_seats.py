"""Seats: how many requests of one key are worked on at once."""

from __future__ import annotations

import asyncio

import pytest

from insights.errors import TooMany
from insights.traffic.seats import Seats


async def test_the_next_wait_in_order_and_past_the_line_is_429() -> None:
    seats = Seats(2, line=3)
    leave = asyncio.Event()
    sat: list[int] = []

    async def guest(number: int) -> None:
        async with seats.seat("a"):
            sat.append(number)
            await leave.wait()

    guests = [asyncio.create_task(guest(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    assert sat == [0, 1]
    with pytest.raises(TooMany) as told:
        async with seats.seat("a"):
            pass
    assert told.value.retry_after == 1
    async with seats.seat("b"):
        pass
    leave.set()
    await asyncio.gather(*guests)
    assert sat == [0, 1, 2, 3, 4]
    assert len(seats) == 0


async def test_whoever_gives_up_in_line_or_while_seated_leaves_no_seat_taken() -> None:
    seats = Seats(1, line=10)
    entered = asyncio.Event()

    async def guest(hold: asyncio.Event) -> None:
        async with seats.seat("a"):
            entered.set()
            await hold.wait()

    never, done = asyncio.Event(), asyncio.Event()
    done.set()
    first = asyncio.create_task(guest(never))
    await entered.wait()
    waiting = [asyncio.create_task(guest(done)) for _ in range(4)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    first.cancel()
    # The seat is handed over now, and its heir gives up in the same turn of the loop.
    await asyncio.sleep(0)
    waiting[1].cancel()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert len(seats) == 0
    await asyncio.wait_for(guest(done), 5)
