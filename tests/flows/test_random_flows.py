"""Random flows under random kills: whoever dies when, every run comes to its end and no message goes out twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.channels.contract import Accepted, Result, Retry, SendIntent, Unknown
from adapters.postgres.engine import Database
from flows.claims import RunClaims
from flows.definition import FlowDefinition, Send, validate
from flows.engine import Finish, Occurrence, Position, SendNow, Traveller, advance
from insights.conditions.fields import FIELDS
from insights.models import Project
from tests.flows.world import ACTIONS, Provider, World, plan

LEASE = timedelta(minutes=1)
NAMES = ("a", "b", "c", "d", "e")


class Killed(BaseException):
    """kill -9: nothing of the worker goes on."""


class Deadly(Provider):
    """A provider on whose calls workers die, before it takes the message or after, as the draw says."""

    def __init__(self, idempotency: Any, fates: list[str]) -> None:
        super().__init__(idempotency)
        self.fates = fates
        self.copies: Counter[str] = Counter()

    async def send(self, intent: SendIntent) -> Result:
        fate = self.fates.pop() if self.fates else "answers"
        if fate == "dies before":
            raise Killed
        if fate == "refuses":
            return Retry("busy")
        # A provider that goes by a message's nature takes a copy for the same one, as one that honours keys does.
        if self.idempotency not in ("key", "natural") or intent.key not in self.reached:
            self.reached.append(intent.key)
            self.copies[intent.key] += 1
        if fate == "dies after":
            raise Killed
        return Unknown("it hung up") if fate == "hangs up" else Accepted("id")


def _step(later: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    following = st.sampled_from(later) if later else st.none()
    sends = st.builds(lambda to: {"do": "send", "action": "send_email", "next": to}, following)
    kinds = [
        sends,
        sends,
        sends,
        st.builds(lambda to: {"do": "wait", "for": "PT1H", "next": to}, following),
        st.just({"do": "exit", "reason": "out"}),
    ]
    if later:
        two = st.tuples(following, following)
        kinds += [
            two.map(lambda to: {"do": "branch", "when": "cart.items > 0", "then": to[0], "otherwise": to[1]}),
            two.map(lambda to: {"do": "split", "ways": [{"weight": 1, "next": one} for one in to]}),
            two.map(
                lambda to: {
                    "do": "wait",
                    "for": "PT2H",
                    "event": {"type": "purchased"},
                    "next": to[0],
                    "otherwise": to[1],
                }
            ),
        ]
    return st.one_of(kinds)


PLANS = st.tuples(*(_step(list(NAMES[n + 1 :])) for n in range(len(NAMES)))).map(
    lambda steps: dict(zip(NAMES, steps, strict=True))
)
FATES = st.sampled_from(["answers", "dies before", "dies after", "refuses", "hangs up"])


def reachable(steps: dict[str, Any]) -> FlowDefinition:
    """The flow without the steps that nothing leads to."""
    made = plan(steps)
    for fault in validate(made, ACTIONS, FIELDS):
        steps.pop(fault.pointer.removeprefix("/steps/"), None)
    return plan(steps)


def sends_of(flow: FlowDefinition, visitor: Any, now: Any) -> int:
    """How many messages a run of this visitor sends when nobody dies."""
    position, occurrence, sends = Position(flow.start), "due", 0
    while True:
        ahead = advance(flow, position, _said(occurrence), {}, now, who=Traveller(visitor))
        if isinstance(ahead.effect, Finish):
            return sends
        sends += isinstance(ahead.effect, SendNow)
        position, occurrence = ahead.position, "sent" if isinstance(ahead.effect, SendNow) else "due"


def _said(word: str) -> Occurrence:
    return "sent" if word == "sent" else "due"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    PLANS,
    st.sampled_from(["key", "natural", "lookup", "none", "none"]),
    st.lists(FATES, min_size=3, max_size=12),
    st.lists(st.booleans(), max_size=6),
)
async def test_no_run_is_lost_and_no_message_repeated_whoever_dies(
    database: Database, steps: dict[str, Any], idempotency: Any, fates: list[str], walks_away: list[bool]
) -> None:
    project_id = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=project_id, name=f"shop-{project_id}", allowed_origins=[]))
    world = World(database, project_id, provider := Deadly(idempotency, fates))
    flow = reachable(steps)
    await world.publish(flow)
    visitors = [await world.start() for _ in range(3)]
    for round_ in range(60):
        if round_ < len(walks_away) and walks_away[round_]:
            # Claims what is due and is never heard of again.
            await RunClaims(database).claim_runs(world.clock(), world.clock() + LEASE, 2)
        try:
            while await world.runner(lease=LEASE, batch=2).run_due():
                pass
        except Killed:
            pass
        world.clock.now += timedelta(minutes=20)
        if not [run for one in visitors for run in await world.runs(one) if run.due_at is not None]:
            break
    for visitor in visitors:
        run = await world.only_run(visitor)
        assert run.status == "done"
        ends = Counter(delivery.status for delivery in run.deliveries)
        # Each send of the way was made once, or nobody can say; what was accepted did arrive.
        assert ends["accepted"] + ends["unknown"] + ends["rejected"] == sends_of(flow, visitor, world.clock())
        assert all(str(one.id) in provider.reached for one in run.deliveries if one.status == "accepted")
        assert ends["unknown"] == 0 or idempotency == "none"
    assert all(count == 1 for count in provider.copies.values())
    assert any(isinstance(step, Send) for step in flow.steps.values()) or not provider.copies
