"""Says who acts: the transactions opened meanwhile carry it, and the database notes it beside each change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. ``kind``: key, member or operator; ``name``: as people know them; ``address``: their network alone."""

    kind: str
    id: str | None
    name: str
    address: str | None = None


_ACTOR: ContextVar[str] = ContextVar("actor", default="")


def actor_now() -> str:
    """Whoever acts, as JSON; empty when the process acts of itself."""
    return _ACTOR.get()


@contextmanager
def acting(actor: Actor | None) -> Iterator[None]:
    """``actor`` acts while this lasts; None: the process itself."""
    token = _ACTOR.set("" if actor is None else json.dumps(asdict(actor)))
    try:
        yield
    finally:
        _ACTOR.reset(token)


@asynccontextmanager
async def consequence(tx: AsyncSession) -> AsyncIterator[None]:
    """What is done in ``tx`` while this lasts follows from a change that is noted: nobody did it of themselves."""
    said = text("SELECT set_config('whyleft.actor', :actor, true)")
    await tx.execute(said, {"actor": ""})
    yield
    await tx.execute(said, {"actor": actor_now()})


def act_as(actor: Actor) -> None:
    """``actor`` acts from now on, until the surrounding ``acting`` ends."""
    _ACTOR.set(json.dumps(asdict(actor)))
