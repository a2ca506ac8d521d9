"""Evaluates a policy on the decisions that were logged, with what it could have learned before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.decisions.plan import ARM, ARMS
from insights.decisions.situation import NAMES, VERSION
from insights.learning.collect import unit_of
from insights.learning.rewards import Unit
from insights.learning.snapshots import KEPT_BUCKETS, remember, remembered_since
from insights.models import Decision, Reward, Session
from insights.policies.evaluation import ENOUGH, Estimate, Logged, doubly_robust, expected_of_others, ips, snipw
from insights.policies.memory import BUCKET
from insights.policies.policy import Policy, Settings, mixed, say_of
from insights.policies.sums import Floats
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.withheld import HOLDOUT, NO_ROOM, WITHHELD

MOST: Final = KEPT_BUCKETS * BUCKET // 2
"""Decisions that one evaluation judges by; the latest of the window. As many are kept from before them, for the policy
to have learned from."""


_ITS_REWARD: Final = and_(Reward.project_id == Decision.project_id, Reward.decision_id == Decision.id)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy would have earned a decision over a window, beside what was earned.

    ``verdict``: "better", "not better" or "cannot tell"; ``why`` says it in a sentence.
    """

    since: datetime
    until: datetime
    unit: str
    earned: Estimate
    estimates: tuple[Estimate, ...]
    verdict: str
    why: str

    @property
    def better(self) -> bool:
        """Whether it may take over: the lower bound of the doubly robust estimate beats what was earned."""
        return self.verdict == "better"

    def as_dict(self) -> dict[str, Any]:
        """As JSON: bounds that are not known are null."""
        document = asdict(self)
        document["since"], document["until"] = self.since.isoformat(), self.until.isoformat()
        for one in (document["earned"], *document["estimates"]):
            for bound in ("low", "high"):
                one[bound] = one[bound] if np.isfinite(one[bound]) else None
        return document


async def evaluate(
    tx: AsyncSession, project_id: UUID, settings: Settings, since: datetime, until: datetime, *, most: int = MOST
) -> Evaluation:
    """Evaluates ``settings`` on the decisions from ``since`` up to ``until`` that have a reward. Where there are more
    than ``most`` of them, or the rewards of the first were forgotten, the window begins later, as the answer says."""
    since = await _begin(tx, project_id, since, until, most)
    seen = await _seen(tx, _drawn(project_id, since, until))
    logged, rules, learned_on = await _read(tx, project_id, settings, since, until, seen)
    unit = await unit_of(tx, project_id)
    known = np.array([seen[ARMS[arm].value] for arm in logged.arms], dtype=float)
    # By its weights: what an action brought that nobody saw is not known, and is none of nothing.
    earned = snipw(Logged(logged.rows, logged.arms, known, logged.rewards, logged.open, logged.whose), _certain(logged))
    if len(logged.arms) == 0:
        return Evaluation(
            since, until, unit.name, earned, (), "cannot tell", "No decision of this time has a reward yet."
        )
    chances = _chances(logged, rules, learned_on)
    robust = doubly_robust(logged, chances, expected_of_others(logged, len(ARMS)))
    estimates = (robust, snipw(logged, chances), ips(logged, chances))
    return Evaluation(since, until, unit.name, earned, estimates, *_verdict(robust, earned, unit))


def _verdict(robust: Estimate, earned: Estimate, unit: Unit) -> tuple[str, str]:
    if not robust.bears:
        return (
            "cannot tell",
            f"These decisions say as much as {robust.effective:,.0f} of its own would: {ENOUGH:,.0f} are needed.",
        )
    low, was = unit.said(robust.low), unit.said(earned.value)
    if robust.low > earned.value:
        return "better", f"Even at the lower bound, {low} a decision, it earns more than the {was} earned."
    return "not better", f"Its lower bound, {low} a decision, does not beat the {was} that were earned."


async def _begin(tx: AsyncSession, project_id: UUID, since: datetime, until: datetime, most: int) -> datetime:
    """Where the window begins. All that is asked about it is asked of the same decisions: how often an action is seen
    may change, and so may how often it is drawn."""
    forgotten = await remembered_since(tx, project_id)
    begin = max(since, forgotten) if forgotten is not None else since
    at = select(Decision.decided_at).join(Reward, _ITS_REWARD).where(*_judged(project_id, begin, until))
    earliest = await tx.scalar(at.order_by(Decision.decided_at.desc()).offset(most - 1).limit(1))
    return begin if earliest is None else earliest


def _judged(project_id: UUID, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return *_drawn(project_id, since, until), Decision.policy.not_in(WITHHELD)


def _drawn(project_id: UUID, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Decision.project_id == project_id,
        Decision.decided_at >= since,
        Decision.decided_at < until,
        Decision.situation_version == VERSION,
        Decision.policy != HOLDOUT,
    )


_WAS_DRAWN: Final = case((Decision.policy == NO_ROOM, Decision.held_back), else_=Decision.action)
_HAS_REWARD: Final = and_(Reward.decision_id.is_not(None), Decision.policy != NO_ROOM)


async def _seen(tx: AsyncSession, drawn: tuple[ColumnElement[bool], ...]) -> dict[str, float]:
    """Action → how much more often than all decisions together its own have a reward. What nobody saw has none, so
    the rewarded ones hold fewer of an action that fails to load, or finds no room, than were drawn; their chances are
    less by this."""
    rows = (
        await tx.execute(
            select(_WAS_DRAWN, func.count(), func.count().filter(_HAS_REWARD))
            .join(Session, (Session.project_id == Decision.project_id) & (Session.id == Decision.session_id))
            .outerjoin(Reward, _ITS_REWARD)
            .where(*drawn, or_(Session.closed_at.is_not(None), Reward.decision_id.is_not(None)))
            .group_by(_WAS_DRAWN)
        )
    ).all()
    decided, rewarded = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return {action: (its / of) / (rewarded / decided) for action, of, its in rows if its}


async def _read(
    tx: AsyncSession, project_id: UUID, settings: Settings, since: datetime, until: datetime, seen: Mapping[str, float]
) -> tuple[Logged, list[int], Policy]:
    rows = (
        await tx.execute(
            select(
                Decision.situation,
                Decision.action,
                Decision.probabilities,
                Decision.rules,
                Decision.visitor_id,
                Reward.value,
            )
            .join(Reward, _ITS_REWARD)
            .where(*_judged(project_id, since, until))
            .order_by(Decision.decided_at.desc(), Decision.id)
        )
    ).all()
    rows = [row for row in rows if len(row.situation) == len(NAMES) and row.probabilities.get(row.action, 0) > 0]
    n = len(rows)
    open_to = np.zeros((n, len(ARMS)), dtype=bool)
    for index, row in enumerate(rows):
        for action, chance in row.probabilities.items():
            # What had no chance was not open: it could not have been chosen by anybody.
            open_to[index, ARM[LiveAction(action)]] = chance > 0
    numbers: dict[UUID, int] = {}
    logged = Logged(
        rows=np.array([row.situation for row in rows]).reshape(n, len(NAMES)),
        arms=np.array([ARM[LiveAction(row.action)] for row in rows], dtype=np.int64),
        chances=np.array([row.probabilities[row.action] * seen[row.action] for row in rows], dtype=float),
        rewards=np.array([row.value for row in rows], dtype=float),
        open=open_to,
        whose=np.array([numbers.setdefault(row.visitor_id, len(numbers)) for row in rows], dtype=np.int64),
    )
    sums, _ = await remember(tx, project_id, settings, before=since)
    return logged, [ARM[LiveAction(row.rules)] for row in rows], Policy.of(sums, settings)


def _certain(logged: Logged) -> Floats:
    chances = np.zeros(logged.open.shape)
    chances[np.arange(len(logged.arms)), logged.arms] = 1.0
    return chances


def _chances(logged: Logged, rules: list[int], policy: Policy) -> Floats:
    """(n, K): what the policy, mixed with the rules as it would be, gives each arm."""
    say = say_of(policy.experience)
    chances = np.zeros(logged.open.shape)
    for index, (row, open_to, rule) in enumerate(zip(logged.rows, logged.open, rules, strict=True)):
        arms = np.flatnonzero(open_to).tolist()
        certain = np.array([float(arm == rule) for arm in arms])
        chances[index, arms] = mixed(certain, policy.probabilities(row, arms), say if rule in arms else 1.0)
    return chances
