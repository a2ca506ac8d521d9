"""Reads a project's plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import ShopFacts
from insights.decisions.entries import offer_of
from insights.decisions.offer import Catalogue, LiveOffer
from insights.decisions.plan import ARMS, Learned, Plan
from insights.decisions.situation import NAMES, VERSION
from insights.identity.proof import Mode
from insights.models import LiveActionEntry, Policy, PolicySnapshot, Project, Shop
from insights.plans.entries import entry_of
from insights.plans.shop import facts_of
from insights.policies.policy import Policy as LearnedPolicy
from insights.policies.policy import Settings
from insights.policies.sums import Sums
from insights.training.in_use import incumbent_version, read_intent
from insights.vocabulary.actions import LiveAction


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a plan was made of. Another stamp, another plan."""

    shop: int
    actions: int
    snapshot: int
    policy: UUID | None
    intent: int
    identity: str


async def read_stamp(tx: AsyncSession, project_id: UUID) -> Stamp:
    """The stamp of the plan that the database holds now: one cheap query."""
    shop = select(Shop.version).where(Shop.project_id == project_id).scalar_subquery()
    snapshot = select(func.max(PolicySnapshot.version)).where(PolicySnapshot.project_id == project_id).scalar_subquery()
    policy = select(Policy.id).where(Policy.project_id == project_id, Policy.role == "incumbent").scalar_subquery()
    # Each change counts an entry's version up, and deleting one counts the shop's.
    actions = (
        select(func.sum(LiveActionEntry.version)).where(LiveActionEntry.project_id == project_id).scalar_subquery()
    )
    intent = incumbent_version(project_id).scalar_subquery()
    identity = select(Project.identity_mode).where(Project.id == project_id).scalar_subquery()
    row = (await tx.execute(select(shop, actions, snapshot, policy, intent, identity))).one()
    return Stamp(row[0] or 0, int(row[1] or 0), row[2] or 0, row[3], row[4] or 0, row[5] or Mode.OFF)


async def read_plan(tx: AsyncSession, project_id: UUID) -> Plan:
    """The plan that the database holds now."""
    shop = await tx.scalar(select(Shop).where(Shop.project_id == project_id))
    intent = await read_intent(tx, project_id)
    mode = await tx.scalar(select(Project.identity_mode).where(Project.id == project_id))
    believes_typed = mode != Mode.REQUIRED
    if shop is None:
        return Plan(
            catalogue=Catalogue(DEFAULT_CATALOGUE.offers, ShopFacts(believes_typed=believes_typed)), intent=intent
        )
    return Plan(
        salt=shop.salt.bytes,
        holdout=shop.holdout,
        catalogue=Catalogue(await _offers(tx, project_id), replace(facts_of(shop), believes_typed=believes_typed)),
        learned=await _learned(tx, project_id),
        intent=intent,
    )


async def _offers(tx: AsyncSession, project_id: UUID) -> tuple[LiveOffer, ...]:
    """The shop's own actions, the first in rank first, and the built-in ones of the kinds that it has none of."""
    rows = (
        await tx.scalars(
            select(LiveActionEntry)
            .where(LiveActionEntry.project_id == project_id)
            .order_by(LiveActionEntry.priority.desc(), LiveActionEntry.id)
        )
    ).all()
    own = [offer_of(entry_of(row)) for row in rows if row.enabled]
    kinds = {LiveAction(row.action) for row in rows}
    return (*own, *(offer for offer in DEFAULT_CATALOGUE.offers if offer.action not in kinds))


async def _learned(tx: AsyncSession, project_id: UUID) -> Learned | None:
    found = (
        await tx.execute(
            select(PolicySnapshot, Policy.settings)
            .join(Policy, (Policy.project_id == PolicySnapshot.project_id) & (Policy.role == "incumbent"))
            .where(PolicySnapshot.project_id == project_id, PolicySnapshot.sums.is_not(None))
            .order_by(PolicySnapshot.version.desc())
            .limit(1)
        )
    ).first()
    if found is None or found[0].situation_version != VERSION:
        # Learned from other numbers, by another version of this software: the rules decide until it has caught up.
        return None
    snapshot, settings = found
    sums = Sums.of_bytes(len(ARMS), len(NAMES), snapshot.sums)
    return Learned(LearnedPolicy.of(sums, Settings.of(settings)), snapshot.version)
