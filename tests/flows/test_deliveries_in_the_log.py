"""What the log says of a delivery: what became of it and why, and of nobody whom it was for."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.channels.contract import Accepted, Rejected, Result, Retry
from adapters.postgres.engine import Database
from flows.deliveries import for_the_log
from tests.flows.world import Provider, World, plan


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (Retry("The mail server asks to come back later (451 busy)."), "delivery_retry"),
        (Rejected("no"), "delivery_rejected"),
    ],
)
async def test_a_delivery_that_is_not_taken_is_logged_with_its_reason(
    database: Database, project_id: UUID, answer: Result, event: str
) -> None:
    world = World(database, project_id, Provider(script=[answer]))
    await world.publish(plan())
    await world.start()
    with capture_logs() as lines:
        await world.drain()
    (line,) = [line for line in lines if line["event"].startswith("delivery_")]
    assert (line["event"], line["channel"], line["why"]) == (event, "email", answer.why)


async def test_one_that_is_taken_needs_no_reason(database: Database, project_id: UUID) -> None:
    world = World(database, project_id, Provider(script=[Accepted()]))
    await world.publish(plan())
    await world.start()
    with capture_logs() as lines:
        await world.drain()
    (line,) = [line for line in lines if line["event"].startswith("delivery_")]
    assert "why" not in line


@pytest.mark.parametrize(
    ("error", "recipient", "logged"),
    [
        ("400, no such user Ada\nLovelace", "Ada", "400, no such user <recipient> Lovelace"),
        ("450 4.2.1 <ada@shop.example>: try later", None, "450 4.2.1 <address>: try later"),
        ("21211, +49 (151) 1234-567 is no number", None, "21211, <address> is no number"),
        ("004915112345678 opted out", "+4915112345678", "<address> opted out"),
        ("10.0.0.12:25 refused (ConnectionRefusedError)", None, "10.0.0.12:25 refused (ConnectionRefusedError)"),
        ("x" * 1_000, None, "x" * 300),
    ],
)
def test_whom_it_was_for_is_left_out(error: str, recipient: str | None, logged: str) -> None:
    assert for_the_log(error, recipient) == logged
