"""Discount codes: issued once for a reason to issue one, used up once by whoever comes first.

A code is three groups of four characters (``K7QM-2XWR-9FHP``): 60 random bits, without 0, O, 1 and I, which people
mix up when they type.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import CodeNotRedeemable, NotFound
from insights.models import DiscountCode

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
GROUPS: Final = 3
GROUP_SIZE: Final = 4


class CodeExpired(CodeNotRedeemable):
    """The discount code's time is over."""

    status = 410


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


def new_code() -> str:
    """A fresh code from the system's source of randomness."""
    letters = [secrets.choice(ALPHABET) for _ in range(GROUPS * GROUP_SIZE)]
    return _grouped("".join(letters))


def normal(text: str) -> str:
    """The one way in which a code is stored, for whatever a person typed; "" for what can be no code."""
    letters = "".join(character for character in text[:64].upper() if character not in " -\t")
    known = len(letters) == GROUPS * GROUP_SIZE and all(character in ALPHABET for character in letters)
    return _grouped(letters) if known else ""


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + GROUP_SIZE] for start in range(0, len(letters), GROUP_SIZE))
