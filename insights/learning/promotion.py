"""Who decides: challengers, the gate they must pass, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import Conflict, NotFound, Refused
from insights.learning.evaluation import Evaluation, evaluate
from insights.learning.snapshots import incumbent_of
from insights.models import Policy, PolicyChange
from insights.policies.policy import Settings
from insights.vocabulary.ids import uuid7

WINDOW: Final = timedelta(days=14)
"""The decisions that a challenger is judged by, when nobody says otherwise."""


async def challenge(
    tx: AsyncSession, project_id: UUID, name: str, settings: Mapping[str, object], now: datetime
) -> Policy:
    """A new challenger. Raises Refused for settings that make no policy, Conflict when the name is taken."""
    checked(settings)
    await incumbent_of(tx, project_id, now)
    made = Policy(
        project_id=project_id, id=uuid7(), name=name, settings=dict(settings), role="challenger", created_at=now
    )
    tx.add(made)
    try:
        await tx.flush()
    except IntegrityError:
        raise Conflict(f"name: there is a policy called {name!r} already; choose another name.", field="name") from None
    return made


def checked(settings: Mapping[str, object]) -> Settings:
    """The settings of a policy. Raises Refused naming what is wrong."""
    try:
        made = Settings.of(settings)
    except (TypeError, ValueError) as error:
        raise Refused(f"settings.{error}", field="settings") from None
    for name in ("gamma", "ridge", "pool"):
        value = getattr(made, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e6:
            raise Refused(f"settings.{name}: must be a number above 0, at most a million.", field=f"settings.{name}")
    for name, most in (("gamma_power", 1.0), ("floor", 0.05)):
        value = getattr(made, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise Refused(f"settings.{name}: must be above 0, at most {most}.", field=f"settings.{name}")
    return made


async def policy_of(tx: AsyncSession, project_id: UUID, policy_id: UUID) -> Policy:
    """The policy. Raises NotFound."""
    found = await tx.scalar(select(Policy).where(Policy.project_id == project_id, Policy.id == policy_id))
    if found is None:
        raise NotFound(f"There is no policy {policy_id} in this project.")
    return found


async def judge(
    tx: AsyncSession, project_id: UUID, policy_id: UUID, now: datetime, window: timedelta = WINDOW
) -> Evaluation:
    """What the policy would have earned over the last ``window``."""
    policy = await policy_of(tx, project_id, policy_id)
    return await evaluate(tx, project_id, checked(policy.settings), now - window, now)


async def promote(
    tx: AsyncSession, project_id: UUID, policy_id: UUID, now: datetime, window: timedelta = WINDOW
) -> PolicyChange:
    """Makes a challenger the incumbent if the data say that it earns more. Raises Conflict with the reason if not."""
    policy = await policy_of(tx, project_id, policy_id)
    if policy.role == "incumbent":
        raise Conflict("This policy decides already.")
    evaluation = await judge(tx, project_id, policy_id, now, window)
    if not evaluation.better:
        raise Conflict(f"Not promoted. {evaluation.why}")
    return await _hand_over(tx, project_id, policy, now, "promoted", evaluation.as_dict())


async def roll_back(tx: AsyncSession, project_id: UUID, now: datetime) -> PolicyChange:
    """Gives the decision back to the policy that had it before. Raises Conflict when there was none."""
    last = await tx.scalar(
        select(PolicyChange)
        .where(PolicyChange.project_id == project_id)
        .order_by(PolicyChange.at.desc(), PolicyChange.id.desc())
        .limit(1)
    )
    if last is None or last.replaced_id is None:
        raise Conflict("There is no earlier policy to go back to.")
    policy = await policy_of(tx, project_id, last.replaced_id)
    return await _hand_over(tx, project_id, policy, now, "rolled_back", None)


async def _hand_over(
    tx: AsyncSession, project_id: UUID, policy: Policy, now: datetime, kind: str, evaluation: dict[str, Any] | None
) -> PolicyChange:
    before = await incumbent_of(tx, project_id, now)
    theirs = Policy.project_id == project_id
    # In this order: there is never more than one incumbent.
    await tx.execute(update(Policy).where(theirs, Policy.id == before.id).values(role="retired"))
    await tx.execute(update(Policy).where(theirs, Policy.id == policy.id).values(role="incumbent"))
    change = PolicyChange(
        project_id=project_id,
        id=uuid7(),
        at=now,
        policy_id=policy.id,
        replaced_id=before.id,
        kind=kind,
        evaluation=evaluation,
    )
    tx.add(change)
    await tx.flush()
    return change
