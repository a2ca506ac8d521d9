"""Plays stories over real HTTP, as browsers would: batches, retries of nothing, answers to what is shown."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx

from insights.demo.stories import Story
from insights.vocabulary.ids import uuid7

BATCH = 6
FRESH_SECONDS = 45.0
"""The last part of a visit is sent as fresh, so that the server decides on it; the part before happened earlier."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A played session: its story, who and which, the actions that were shown."""

    story: Story
    visitor_id: UUID
    session_id: UUID
    shown: tuple[str, ...]


class VisitRefused(Exception):
    """The API did not take a visit's events; the text is its answer."""


async def play_all(
    client: httpx.AsyncClient,
    write_key: str,
    stories: list[Story],
    rng: random.Random,
    done: Callable[[], None],
) -> list[Visit]:
    """Plays each story once, a few at a time; ``done`` is called after each. Raises VisitRefused."""
    places = asyncio.Semaphore(6)

    async def one(story: Story) -> Visit:
        async with places:
            visitor_id = uuid4()
            for earlier in range(story.visits - 1, 0, -1):
                await _visit(client, write_key, story, visitor_id, rng, days_ago=earlier)
            visit = await _visit(client, write_key, story, visitor_id, rng)
            done()
            return visit

    return list(await asyncio.gather(*(one(story) for story in stories)))


async def _visit(
    client: httpx.AsyncClient, write_key: str, story: Story, visitor_id: UUID, rng: random.Random, days_ago: int = 0
) -> Visit:
    steps = [(after * rng.uniform(0.9, 1.2), kind, dict(props)) for after, kind, props in story.steps]
    if days_ago:
        steps = steps[:3]  # an earlier look, without the rest of the story
    elif story.email:
        steps[2:2] = [
            (1.0, "identified", {"email": f"visitor-{visitor_id.hex[:8]}@example.org"}),
            (0.1, "consent_changed", {"marketing": True, "channels": ["email"]}),
        ]
    steps.append((2.0, "session_ended", {"reason": "closed"}))
    # The story ends now; it began as long ago as it lasts.
    at = time.time() * 1000 - 1000 * sum(after for after, _, _ in steps) - days_ago * 86_400_000
    session_id = uuid7(int(at))
    shown: list[str] = []
    seq = 0
    url = "https://shop.example/"
    pending: list[dict[str, Any]] = []
    for position, (after, kind, props) in enumerate(steps):
        at += after * 1000
        url = props.get("url", url)
        if "order_id" in props:
            props["order_id"] = props["order_id"].format(order=f"demo-{session_id.hex[-10:]}")
        seq += 1
        pending.append({"id": str(uuid7(int(at))), "seq": seq, "t": int(at), "type": kind, "props": props})
        last = position == len(steps) - 1
        live = time.time() - at / 1000 < FRESH_SECONDS
        # Live parts go out event by event, as the SDK would; the past goes in batches.
        if last or live or len(pending) >= BATCH:
            action = await _send(client, write_key, visitor_id, session_id, url, pending)
            pending = []
            if action is not None:
                shown.append(action["action"])
                outcome = "action_clicked" if rng.random() < 0.3 else "action_dismissed"
                for type_ in ("action_shown", outcome):
                    seq += 1
                    props = {"decision_id": action["decision_id"], "action": action["action"]}
                    pending.append({"id": str(uuid7(int(at))), "seq": seq, "t": int(at), "type": type_, "props": props})
    if pending:
        await _send(client, write_key, visitor_id, session_id, url, pending)
    return Visit(story, visitor_id, session_id, tuple(shown))


async def _send(
    client: httpx.AsyncClient,
    write_key: str,
    visitor_id: UUID,
    session_id: UUID,
    url: str,
    events: list[dict[str, Any]],
) -> dict[str, Any] | None:
    body = {
        "visitor": str(visitor_id),
        "session": str(session_id),
        "tab": "demo",
        "sent_at": int(time.time() * 1000),
        "page": {"url": url},
        "events": events,
    }
    response = await client.post("/v1/events", params={"key": write_key}, json=body)
    if response.status_code != 200:
        raise VisitRefused(f"{response.status_code}: {response.text[:300]}")
    answer = response.json()
    if answer["rejected"]:
        raise VisitRefused(str(answer["rejected"][0]))
    action: dict[str, Any] | None = answer["action"]
    return action
