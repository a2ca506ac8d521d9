"""What there is to see of a project's policies: who decides, what it knows, how it came on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.decisions.plan import LEARNED
from insights.decisions.situation import VERSION
from insights.learning.snapshots import weights_of
from insights.models import Decision, Policy, PolicyChange, PolicySnapshot, Reward
from insights.policies.memory import FADES
from insights.policies.policy import say_of
from insights.policies.sums import Floats
from insights.vocabulary.withheld import WITHHELD


@dataclass(frozen=True, slots=True)
class Standing:
    """What the incumbent knows. ``say``: its share of a decision, the rest is the rules'. ``forgets``: what a bucket
    keeps with each later one, in the memory that foresees best now."""

    version: int
    made_at: datetime
    outcomes: float
    say: float
    forgets: float


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of the learning curve: mean reward of its decisions, by when they were made."""

    bucket: int
    since: datetime
    until: datetime
    decisions: int
    mean: float
    learned_share: float


async def policies_of(tx: AsyncSession, project_id: UUID) -> list[Policy]:
    """The incumbent first, then challengers, then the retired, the newest first."""
    order = func.array_position(["incumbent", "challenger", "retired"], Policy.role)
    found = await tx.scalars(
        select(Policy).where(Policy.project_id == project_id).order_by(order, Policy.created_at.desc())
    )
    return list(found)


async def standing_of(tx: AsyncSession, project_id: UUID) -> Standing | None:
    """What the incumbent knows; None before the first snapshot."""
    newest = await tx.scalar(
        select(PolicySnapshot)
        .where(PolicySnapshot.project_id == project_id)
        .order_by(PolicySnapshot.version.desc())
        .limit(1)
    )
    if newest is None:
        return None
    return Standing(newest.version, newest.made_at, newest.outcomes, say_of(newest.outcomes), FADES[newest.memory])


async def curve_of(tx: AsyncSession, project_id: UUID) -> list[Point]:
    """Mean reward by bucket, oldest first, without those held out."""
    rows = await tx.execute(
        select(
            Reward.bucket,
            func.min(Reward.decided_at),
            func.max(Reward.decided_at),
            func.count(),
            func.avg(Reward.value),
            func.avg(Decision.say),
        )
        .join(Decision, (Decision.project_id == Reward.project_id) & (Decision.id == Reward.decision_id))
        .where(Reward.project_id == project_id, Decision.policy.not_in(WITHHELD))
        .group_by(Reward.bucket)
        .order_by(Reward.bucket)
    )
    return [Point(row[0], row[1], row[2], row[3], float(row[4]), float(row[5] or 0.0)) for row in rows]


async def changes_of(tx: AsyncSession, project_id: UUID) -> list[PolicyChange]:
    """Every change of who decides, the newest first."""
    found = await tx.scalars(
        select(PolicyChange)
        .where(PolicyChange.project_id == project_id)
        .order_by(PolicyChange.at.desc(), PolicyChange.id.desc())
    )
    return list(found)


async def weights_by_name(tx: AsyncSession, project_id: UUID, names: Collection[str]) -> dict[str, Floats]:
    """Name of a policy as decisions log it → the weights (arms, numbers of the situation) that it decided by.

    Those of rules, and of snapshots that are no longer kept or learned from other numbers, are left out.
    """
    versions = [int(name.removeprefix(LEARNED)) for name in names if name.startswith(LEARNED)]
    if not versions:
        return {}
    found = await tx.scalars(
        select(PolicySnapshot).where(
            PolicySnapshot.project_id == project_id,
            PolicySnapshot.version.in_(versions),
            PolicySnapshot.situation_version == VERSION,
        )
    )
    return {f"{LEARNED}{snapshot.version}": weights_of(snapshot) for snapshot in found}
