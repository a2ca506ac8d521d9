"""Policies over HTTP: who decides, what it knows; challengers, what they would have earned, the way up and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.learning import overview, promotion
from insights.learning.collect import unit_of
from insights.models import Policy, PolicyChange

router = APIRouter(prefix="/v1/policies", tags=["policies"])


class PolicyIn(StoredBody):
    """A way to learn that is to be compared with the one that decides."""

    name: str = Field(min_length=1, max_length=80)
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="explorer (square_cb, thompson), gamma, gamma_power, ridge, pool, floor; what is left out has its "
        "default.",
    )


class PolicyOut(BaseModel):
    """A policy. ``role``: incumbent, challenger or retired."""

    id: UUID
    name: str
    settings: dict[str, Any]
    role: str
    created_at: datetime


class StandingOut(BaseModel):
    """What the incumbent knows, and how much of a decision is its own; the rest is the rules'."""

    version: int
    made_at: datetime
    outcomes: float
    say: float
    forgets: float


class PointOut(BaseModel):
    """One bucket of the learning curve."""

    bucket: int
    since: datetime
    until: datetime
    decisions: int
    mean: float
    learned_share: float


class PolicyList(BaseModel):
    """``unit``: what rewards are counted in."""

    policies: list[PolicyOut]
    standing: StandingOut | None
    curve: list[PointOut]
    unit: str


class EstimateOut(BaseModel):
    """Mean reward a decision with its interval of 95 %; ``effective``: decisions it rests on, of n."""

    method: str
    value: float
    low: float | None
    high: float | None
    effective: float
    n: int


class EvaluationOut(BaseModel):
    """``verdict``: better, not better, or cannot tell; ``earned``: what was earned by the policies that decided."""

    since: datetime
    until: datetime
    unit: str
    earned: EstimateOut
    estimates: list[EstimateOut]
    verdict: str
    why: str


class PolicyChangeOut(BaseModel):
    """Who decided from ``at`` on. ``kind``: first, promoted or rolled_back; ``evaluation``: on what grounds."""

    at: datetime
    kind: str
    policy_id: UUID
    replaced_id: UUID | None
    evaluation: dict[str, Any] | None


class PolicyChangeList(BaseModel):
    """Every change, the newest first."""

    changes: list[PolicyChangeOut]


Days = Query(14, ge=1, le=90, description="The decisions of so many days are looked at.")


@router.get("", response_model=PolicyList)
async def list_policies(caller: SecretCaller, services: FromRequest) -> PolicyList:
    """Who decides, who would like to, and how the learning came on."""
    async with services.database.transaction(caller.project_id) as tx:
        policies = await overview.policies_of(tx, caller.project_id)
        standing = await overview.standing_of(tx, caller.project_id)
        curve = await overview.curve_of(tx, caller.project_id)
        unit = (await unit_of(tx, caller.project_id)).name
    return PolicyList(
        policies=[_out(policy) for policy in policies],
        standing=None if standing is None else StandingOut.model_validate(standing, from_attributes=True),
        curve=[PointOut.model_validate(point, from_attributes=True) for point in curve],
        unit=unit,
    )


@router.post("", response_model=PolicyOut, status_code=201)
async def create_policy(body: PolicyIn, caller: SecretCaller, services: FromRequest) -> PolicyOut:
    """A new challenger. It decides nothing until it is promoted."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await promotion.challenge(tx, caller.project_id, body.name, body.settings, datetime.now(UTC)))


@router.get("/changes", response_model=PolicyChangeList)
async def list_changes(caller: SecretCaller, services: FromRequest) -> PolicyChangeList:
    """Every change of who decides."""
    async with services.database.transaction(caller.project_id) as tx:
        return PolicyChangeList(changes=[_change(one) for one in await overview.changes_of(tx, caller.project_id)])


@router.post("/rollback", response_model=PolicyChangeOut)
async def roll_back(caller: SecretCaller, services: FromRequest) -> PolicyChangeOut:
    """Gives the decision back to the policy that had it before."""
    async with services.database.transaction(caller.project_id) as tx:
        return _change(await promotion.roll_back(tx, caller.project_id, datetime.now(UTC)))


@router.get("/{policy_id}/evaluation", response_model=EvaluationOut)
async def evaluate_policy(
    policy_id: UUID, caller: SecretCaller, services: FromRequest, days: int = Days
) -> EvaluationOut:
    """What a policy would have earned, estimated from decisions of others; it says so when it cannot tell."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await promotion.judge(tx, caller.project_id, policy_id, datetime.now(UTC), timedelta(days=days))
    return EvaluationOut.model_validate(found.as_dict())


@router.post("/{policy_id}/promote", response_model=PolicyChangeOut)
async def promote_policy(
    policy_id: UUID, caller: SecretCaller, services: FromRequest, days: int = Days
) -> PolicyChangeOut:
    """Lets a challenger decide, if even the lower bound of its estimate beats what was earned; 409 with why not."""
    async with services.database.transaction(caller.project_id) as tx:
        now = datetime.now(UTC)
        return _change(await promotion.promote(tx, caller.project_id, policy_id, now, timedelta(days=days)))


def _out(policy: Policy) -> PolicyOut:
    return PolicyOut.model_validate(policy, from_attributes=True)


def _change(change: PolicyChange) -> PolicyChangeOut:
    return PolicyChangeOut.model_validate(change, from_attributes=True)
