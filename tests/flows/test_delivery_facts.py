"""Branches over what became of the run's own messages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from adapters.channels.contract import Rejected, Result
from adapters.postgres.engine import Database
from flows.definition import validate
from flows.models import DeliveryEvent
from insights.conditions.fields import FIELDS
from tests.flows.world import ACTIONS, World, plan

STEPS: dict[str, Any] = {
    "a": {"do": "send", "action": "send_email", "next": "pause"},
    "pause": {"do": "wait", "for": "PT1H", "next": "look"},
    "look": {"do": "branch", "when": "", "then": "yes", "otherwise": "no"},
    "yes": {"do": "exit", "reason": "yes"},
    "no": {"do": "exit", "reason": "no"},
}


@pytest.mark.parametrize(
    ("when", "heard", "answer", "way"),
    [
        ('delivery.opened("a") = true', ["delivered", "opened"], None, "yes"),
        ('delivery.opened("a") = true', ["delivered"], None, "no"),
        ('not delivery.clicked("a") = true', [], None, "yes"),
        ("delivery.clicked = true", ["clicked"], None, "yes"),
        ('delivery.status("a") = accepted', [], None, "yes"),
        ('delivery.status("a") = rejected', [], Rejected("no"), "yes"),
        ("delivery.sent = true", [], Rejected("no"), "no"),
    ],
)
async def test_a_branch_goes_by_what_became_of_a_message(
    database: Database, project_id: UUID, when: str, heard: list[str], answer: Result | None, way: str
) -> None:
    world = World(database, project_id)
    if answer is not None:
        world.provider.script = [answer]
    flow = plan(STEPS | {"look": STEPS["look"] | {"when": when}})
    assert validate(flow, ACTIONS, FIELDS) == []
    await world.publish(flow)
    ada = await world.start()
    await world.drain()
    (sent,) = (await world.only_run(ada)).deliveries
    async with database.transaction(project_id) as tx:
        for kind in heard:
            tx.add(
                DeliveryEvent(
                    project_id=project_id,
                    delivery_id=sent.id,
                    kind=kind,
                    at=world.clock(),
                    visitor_id=ada,
                    received_at=world.clock(),
                )
            )
    await world.later(hours=1)
    assert (await world.only_run(ada)).end_reason == way


def test_a_branch_may_ask_only_of_send_steps_there_are_and_never_before_the_first() -> None:
    steps = {
        "a": {"do": "branch", "when": 'delivery.opened("mial") = true', "then": "mail", "otherwise": "mail"},
        "mail": {"do": "send", "action": "send_email"},
    }
    found = {fault.pointer: fault.fix for fault in validate(plan(steps), ACTIONS, FIELDS)}
    assert found == {"/steps/a/when/args/0": "did you mean mail?"}
    before = plan({"a": {"do": "exit"}})
    trigger = before.trigger.model_validate({"on": "insight", "when": "delivery.opened = true"})
    faults = validate(before.model_copy(update={"trigger": trigger}), ACTIONS, FIELDS)
    assert [fault.pointer for fault in faults] == ["/trigger/when/field"]
