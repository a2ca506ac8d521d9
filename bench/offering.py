"""A shop of the ingest bench that has something for everybody: there is something to weigh, to draw and to log.

The built-in live actions ask for a cart, trouble or an intent to leave, which the visits of the load never have.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import httpx
from sqlalchemy import func, select

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.keys import create_key
from insights.models import Decision
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage


@dataclass(frozen=True, slots=True)
class Shop:
    """A project. ``path``: where its events go; ``secret``: for the rest of the API."""

    project_id: UUID
    path: str
    secret: str


async def shop(urls: DatabaseUrls) -> Shop:
    """A project with two keys."""
    database = Database(urls)
    write = await create_key(database, "bench-offering", "write", [])
    secret = await create_key(database, "bench-offering", "secret", [])
    await database.close()
    return Shop(write.project_id, f"/v1/events?key={write.key}", secret.key)


async def open_for_everybody(port: int, shop: Shop) -> None:
    """Sets up a live action that fits every visit, over HTTP as a shop would."""
    action = {
        "name": "for everybody",
        "action": LiveAction.TRUST_CARD,
        "template": "card",
        "content": {"default": {"title": "Thirty days to change your mind", "body": "Sent back at our cost."}},
        "stages": list(Stage),
    }
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {shop.secret}"}) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/v1/live-actions", json=action)
    answer.raise_for_status()


async def logged(urls: DatabaseUrls, shop: Shop) -> int:
    """How many decisions of the shop were stored."""
    database = Database(urls)
    async with database.transaction(shop.project_id) as tx:
        count = (await tx.scalars(select(func.count()).select_from(Decision))).one()
    await database.close()
    return count
