"""Makes the next snapshot of a policy out of the rewards: sums by bucket, the memory that foresees best, weights."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.decisions.plan import ARM, ARMS
from insights.decisions.situation import NAMES, VERSION
from insights.models import Decision, PolicyBucket, PolicyChange, PolicySnapshot, Reward, Shop
from insights.models import Policy as PolicyRow
from insights.policies.memory import BUCKET, Memory
from insights.policies.policy import Policy, Settings
from insights.policies.sums import Floats, NotFinite, Sums
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import uuid7
from insights.vocabulary.withheld import WITHHELD

KEPT_BUCKETS: Final = 400
"""Older outcomes are forgotten: 200,000 decisions are more than a policy of this size can use."""
KEPT_SNAPSHOTS: Final = 2_000
OUTSIZED: Final = 20.0
"""As many usual rewards, of those above zero, as one counts for at most. A regression follows what is furthest off: one
order of a thousand million, a test or somebody's invention, would decide what everybody sees."""
USUAL: Final = 20
"""Rewards above zero from which on their median is what is usual."""
FIRST_NAME: Final = "first"


async def incumbent_of(tx: AsyncSession, project_id: UUID, now: datetime) -> PolicyRow:
    """The policy that decides; the first one, and the shop's row with its salt, are made here."""
    await tx.execute(insert(Shop).values(project_id=project_id).on_conflict_do_nothing())
    found = await tx.scalar(select(PolicyRow).where(PolicyRow.project_id == project_id, PolicyRow.role == "incumbent"))
    if found is not None:
        return found
    made = PolicyRow(project_id=project_id, id=uuid7(), name=FIRST_NAME, settings={}, role="incumbent", created_at=now)
    tx.add(made)
    tx.add(PolicyChange(project_id=project_id, id=uuid7(), at=now, policy_id=made.id, kind="first"))
    await tx.flush()
    return made


async def sum_up(tx: AsyncSession, project_id: UUID, now: datetime) -> int:
    """Sums the buckets up whose rewards have changed; returns how many."""
    numbers = (
        await tx.scalars(
            select(PolicyBucket.number).where(PolicyBucket.project_id == project_id, PolicyBucket.sums.is_(None))
        )
    ).all()
    most = await _most(tx, project_id) if numbers else math.inf
    for number in numbers:
        sums = Sums.empty(len(ARMS), len(NAMES))
        rows = await tx.execute(
            select(Decision.situation, Reward.action, Reward.value)
            .join(Decision, (Decision.project_id == Reward.project_id) & (Decision.id == Reward.decision_id))
            .where(Reward.project_id == project_id, Reward.bucket == number)
            # A visitor who got nothing whatever was chosen is no news of what the policy's choices do.
            .where(Decision.policy.not_in(WITHHELD))
        )
        count = 0
        for situation, action, value in rows:
            if situation is None or len(situation) != len(NAMES):
                continue
            try:
                sums.add(ARM[LiveAction(action)], np.array(situation), min(value, most))
            except (NotFinite, ValueError):
                continue
            count += 1
        await tx.execute(
            update(PolicyBucket)
            .where(PolicyBucket.project_id == project_id, PolicyBucket.number == number)
            .values(sums=sums.to_bytes(), outcomes=count, summed_at=now, situation_version=VERSION)
        )
    return len(numbers)


async def _most(tx: AsyncSession, project_id: UUID) -> float:
    """The most that one reward counts for."""
    median, count = (
        await tx.execute(
            select(func.percentile_cont(0.5).within_group(Reward.value), func.count()).where(
                Reward.project_id == project_id, Reward.value > 0
            )
        )
    ).one()
    return OUTSIZED * float(median) if count >= USUAL else math.inf


async def remember(
    tx: AsyncSession, project_id: UUID, settings: Settings, *, before: datetime | None = None
) -> tuple[Sums, int]:
    """What is known from the buckets, by the memory that foresaw best, and which one that is.

    ``before``: only from the buckets whose decisions all came earlier.
    """
    buckets = select(PolicyBucket.number, PolicyBucket.outcomes, PolicyBucket.sums).where(
        PolicyBucket.project_id == project_id,
        PolicyBucket.situation_version == VERSION,
        PolicyBucket.sums.is_not(None),
    )
    if before is not None:
        later = select(Reward.bucket).where(Reward.project_id == project_id, Reward.decided_at >= before)
        buckets = buckets.where(PolicyBucket.number.not_in(later))
    memory = Memory(len(ARMS), len(NAMES), settings.ridge, settings.pool)
    unfinished, held = Sums.empty(len(ARMS), len(NAMES)), 0
    for _, outcomes, data in (await tx.execute(buckets.order_by(PolicyBucket.number))).all():
        # Where much was withheld a bucket holds little to learn from; with the next ones it is a whole one.
        unfinished.merge(Sums.of_bytes(len(ARMS), len(NAMES), data or b""))
        held += outcomes
        if held >= BUCKET // 2:
            memory.observe(unfinished)
            unfinished, held = Sums.empty(len(ARMS), len(NAMES)), 0
    return memory.best(unfinished), memory.chosen


async def make_snapshot(tx: AsyncSession, project_id: UUID, now: datetime) -> int:
    """Learns from all buckets and stores what was learned; returns the snapshot's version."""
    incumbent = await incumbent_of(tx, project_id, now)
    settings = Settings.of(incumbent.settings)
    sums, chosen = await remember(tx, project_id, settings)
    weights = Policy.of(sums, settings).estimates.weights
    last = await tx.scalar(select(func.max(PolicySnapshot.version)).where(PolicySnapshot.project_id == project_id))
    version = (last or 0) + 1
    theirs = PolicySnapshot.project_id == project_id
    await tx.execute(update(PolicySnapshot).where(theirs, PolicySnapshot.sums.is_not(None)).values(sums=None))
    tx.add(
        PolicySnapshot(
            project_id=project_id,
            version=version,
            policy_id=incumbent.id,
            situation_version=VERSION,
            made_at=now,
            outcomes=float(sums.n.sum()),
            memory=chosen,
            weights=weights.astype("<f8").tobytes(),
            sums=sums.to_bytes(),
        )
    )
    await tx.execute(delete(PolicySnapshot).where(theirs, PolicySnapshot.version <= version - KEPT_SNAPSHOTS))
    await _forget_old(tx, project_id)
    await tx.flush()
    return version


async def remembered_since(tx: AsyncSession, project_id: UUID) -> datetime | None:
    """From when on decisions have all the rewards that they ever had; None: nothing was forgotten yet."""
    theirs = Reward.project_id == project_id
    oldest = await tx.scalar(select(func.min(Reward.bucket)).where(theirs))
    if oldest is None or oldest <= 1:
        return None
    found: datetime | None = await tx.scalar(select(func.max(Reward.decided_at)).where(theirs, Reward.bucket == oldest))
    return found


def weights_of(snapshot: PolicySnapshot) -> Floats:
    """The weights (arms, numbers of the situation) that a snapshot decided by."""
    values: Floats = np.frombuffer(snapshot.weights, "<f8").reshape(-1, len(NAMES))
    return values


async def _forget_old(tx: AsyncSession, project_id: UUID) -> None:
    last = await tx.scalar(select(func.max(PolicyBucket.number)).where(PolicyBucket.project_id == project_id))
    oldest = (last or 0) - KEPT_BUCKETS
    if oldest > 0:
        for table, number in ((PolicyBucket, PolicyBucket.number), (Reward, Reward.bucket)):
            await tx.execute(delete(table).where(table.project_id == project_id, number <= oldest))
