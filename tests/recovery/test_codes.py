"""Discount codes on a real PostgreSQL: issued once, used once."""

from __future__ import annotations

import asyncio
import string
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from adapters.postgres.engine import Database
from insights.errors import CodeNotRedeemable, NotFound, WhyleftError
from insights.models import DiscountCode
from insights.recovery import codes
from insights.vocabulary.codes import new_code, normal
from tests.recovery.sessions import START, VISITOR

DAY = timedelta(hours=24)


async def issue(database: Database, project_id: UUID, key: str, percent: int = 10) -> codes.IssuedCode:
    async with database.transaction(project_id) as tx:
        return await codes.issue(
            tx, project_id, issue_key=key, visitor_id=VISITOR, percent=percent, valid_for=DAY, now=START
        )


async def redeem(database: Database, project_id: UUID, code: str, after: timedelta = timedelta(hours=1)) -> int:
    async with database.transaction(project_id) as tx:
        return await codes.redeem(tx, project_id, code, START + after)


async def test_a_code_gives_its_discount_once(database: Database, project_id: UUID) -> None:
    issued = await issue(database, project_id, "run/mail", 15)
    assert issued.expires_at == START + DAY
    assert await redeem(database, project_id, issued.code) == 15
    with pytest.raises(CodeNotRedeemable, match="used before") as refused:
        await redeem(database, project_id, issued.code)
    assert refused.value.status == 409


async def test_the_same_reason_gives_the_same_code(database: Database, project_id: UUID) -> None:
    first = await issue(database, project_id, "run/mail")
    again = await issue(database, project_id, "run/mail", percent=50)
    other = await issue(database, project_id, "run-2/mail")
    assert first == again
    assert other.code != first.code
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(DiscountCode)) == 2


async def test_two_workers_at_once_issue_one_code(database: Database, project_id: UUID) -> None:
    issued = await asyncio.gather(*(issue(database, project_id, "run/mail") for _ in range(8)))
    assert len({code.code for code in issued}) == 1


async def test_of_a_hundred_uses_at_once_exactly_one_succeeds(database: Database, project_id: UUID) -> None:
    issued = await issue(database, project_id, "run/mail")
    outcomes = await asyncio.gather(
        *(redeem(database, project_id, issued.code) for _ in range(100)), return_exceptions=True
    )
    assert outcomes.count(10) == 1
    assert sum(isinstance(outcome, CodeNotRedeemable) for outcome in outcomes) == 99


async def test_a_code_is_good_until_its_last_moment_and_not_after(database: Database, project_id: UUID) -> None:
    early, late = [await issue(database, project_id, f"run-{number}/mail") for number in range(2)]
    assert await redeem(database, project_id, early.code, DAY - timedelta(microseconds=1)) == 10
    with pytest.raises(CodeNotRedeemable, match="over") as refused:
        await redeem(database, project_id, late.code, DAY)
    assert refused.value.status == 410


async def test_a_code_may_be_typed_as_people_type(database: Database, project_id: UUID) -> None:
    issued = await issue(database, project_id, "run/mail")
    assert await redeem(database, project_id, f"  {issued.code.lower().replace('-', ' ')} ") == 10


@pytest.mark.parametrize("code", ["", "AAAA-BBBB-CCCC", "0O1I-0O1I-0O1I", "x" * 10_000, "a\0b", "' OR 1=1 --"])
async def test_what_was_never_issued_is_not_found(database: Database, project_id: UUID, code: str) -> None:
    with pytest.raises(NotFound):
        await redeem(database, project_id, code)


async def test_a_code_of_another_project_is_not_found(database: Database, project_id: UUID) -> None:
    issued = await issue(database, project_id, "run/mail")
    with pytest.raises(WhyleftError) as refused:
        await redeem(database, uuid4(), issued.code)
    assert refused.value.status == 404


def test_codes_are_readable_and_do_not_repeat() -> None:
    made = {new_code() for _ in range(5_000)}
    assert len(made) == 5_000
    assert set("".join(made)) == (set(string.ascii_uppercase + string.digits) - set("01IO")) | {"-"}
    assert {tuple(map(len, code.split("-"))) for code in made} == {(4, 4, 4)}
    assert all(normal(code) == code for code in made)
