"""Discount codes: issued once for a reason to issue one, used up once by whoever comes first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import CodeNotRedeemable, NotFound
from insights.models import DiscountCode
from insights.vocabulary.codes import new_code, normal


class CodeExpired(CodeNotRedeemable):
    """The discount code's time is over."""

    status = 410


TOLD_WITHIN: Final = timedelta(minutes=50)
"""A shop may tell of an order days later. Its code was used at most so long after it: what was redeemed within an hour
after an order is taken for its (``learning/discounts``)."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code as its owner gets it: ``percent`` off, until ``expires_at``."""

    code: str
    percent: int
    expires_at: datetime


async def issue(
    tx: AsyncSession,
    project_id: UUID,
    *,
    issue_key: str,
    visitor_id: UUID,
    percent: int,
    valid_for: timedelta,
    now: datetime,
) -> IssuedCode:
    """A new code of ``percent`` (1..90) for this visitor; the same ``issue_key`` always gives the same one."""
    await tx.execute(
        upsert(DiscountCode)
        .values(
            project_id=project_id,
            code=new_code(),
            issue_key=issue_key,
            visitor_id=visitor_id,
            percent=percent,
            issued_at=now,
            expires_at=now + valid_for,
        )
        .on_conflict_do_nothing(index_elements=["project_id", "issue_key"])
    )
    row = (
        await tx.execute(
            select(DiscountCode.code, DiscountCode.percent, DiscountCode.expires_at).where(
                DiscountCode.project_id == project_id, DiscountCode.issue_key == issue_key
            )
        )
    ).one()
    return IssuedCode(row.code, row.percent, row.expires_at)


async def redeem(tx: AsyncSession, project_id: UUID, code: str, now: datetime) -> int:
    """Uses the code up and returns its discount in percent; of any number at once exactly one gets it.

    Case, spaces and dashes do not matter. Raises NotFound, CodeNotRedeemable when it was used, CodeExpired.
    """
    written = normal(code)
    percent: int | None = await tx.scalar(
        update(DiscountCode)
        .where(
            DiscountCode.project_id == project_id,
            DiscountCode.code == written,
            DiscountCode.redeemed_at.is_(None),
            DiscountCode.expires_at > now,
        )
        .values(redeemed_at=now)
        .returning(DiscountCode.percent)
    )
    if percent is not None:
        return percent
    redeemed_at = (
        await tx.execute(
            select(DiscountCode.redeemed_at).where(DiscountCode.project_id == project_id, DiscountCode.code == written)
        )
    ).one_or_none()
    if redeemed_at is None:
        raise NotFound("There is no such code in this project.")
    if redeemed_at[0] is not None:
        raise CodeNotRedeemable("This code was used before. Each code is good for one order.")
    raise CodeExpired("This code's time is over.")


async def used_up(
    tx: AsyncSession, project_id: UUID, codes: Collection[str], placed_at: datetime, now: datetime
) -> None:
    """The shop's own till took these codes with an order that was placed then: those of ours are used up, whatever
    their time. Any other, and one that was used before, is none of ours."""
    written = sorted({normal(code) for code in codes} - {""})
    if written:
        await tx.execute(
            update(DiscountCode)
            .where(
                DiscountCode.project_id == project_id,
                DiscountCode.code.in_(written),
                DiscountCode.redeemed_at.is_(None),
            )
            .values(redeemed_at=min(now, placed_at + TOLD_WITHIN))
        )
