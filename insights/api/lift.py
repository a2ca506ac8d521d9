"""Lift over HTTP: what acting brings, measured against the people who are held out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from insights.api.caller import SecretCaller
from insights.api.given import Moment
from insights.api.services import FromRequest
from insights.lift import words
from insights.lift.comparison import Comparison, Interval
from insights.lift.read import HORIZON_DAYS, read_people
from insights.lift.report import Finding, Group, Report, work_out

router = APIRouter(prefix="/v1/lift", tags=["lift"])

By = Literal["action", "stage", "segment"]


class IntervalOut(BaseModel):
    """An estimate with an interval that may be looked at every day; a bound is null where there is none."""

    value: float
    low: float | None
    high: float | None


class FindingOut(BaseModel):
    """One outcome a person: means as counted; difference and ratio adjusted for what was known of people before.

    ``ratio``: the difference as a share of the held-out mean. ``explained``: the share of the variance that the
    adjustment took out.
    """

    verdict: Literal["more", "less", "cannot tell"]
    words: str
    treated_mean: float | None = None
    held_out_mean: float | None = None
    difference: IntervalOut | None = None
    ratio: IntervalOut | None = None
    p: float | None = Field(None, description="Always valid: it may be looked at whenever.")
    explained: float | None = None
    more_people: int | None = Field(
        None, description="People still needed to see a lift of `detect`, four times in five; null: cannot be foreseen."
    )


class BalanceOut(BaseModel):
    """Whether as many are held out as should be. On ``alarm`` no figure here can be believed."""

    held_out: int
    people: int
    expected: float
    p: float
    alarm: bool
    words: str


class DayOut(BaseModel):
    """The differences as they stood at a midnight (UTC)."""

    at: datetime
    people: int
    conversion: IntervalOut | None
    margin: IntervalOut | None


class GroupOut(BaseModel):
    """One action, stage or segment; both groups by what would have been done, so like is compared with like.

    ``…_p``: as it counts among all groups of this answer (false discoveries at most 5 %); ``…_believed`` at that rate.
    """

    name: str
    treated: int
    held_out: int
    conversion: FindingOut
    conversion_p: float | None
    conversion_believed: bool
    margin: FindingOut | None
    margin_p: float | None
    margin_believed: bool


class LiftOut(BaseModel):
    """The lift report. Conversion in shares of people, margin in minor units of ``currency`` a person.

    ``waiting``: people whose days are not over; they do not count yet.
    """

    since: datetime
    until: datetime
    days_counted: int
    holdout: float
    currency: str | None
    treated: int
    held_out: int
    waiting: int
    balance: BalanceOut
    conversion: FindingOut
    margin: FindingOut | None
    margin_words: str
    daily: list[DayOut]
    by: By | None
    groups: list[GroupOut]


@router.get("", response_model=LiftOut)
async def get_lift(
    caller: SecretCaller,
    services: FromRequest,
    since: Annotated[Moment | None, Query(description="Only people whose first moment is not before.")] = None,
    until: Annotated[Moment | None, Query(description="Only people whose first moment is before.")] = None,
    by: Annotated[By | None, Query(description="Also by action, stage or segment.")] = None,
    days: Annotated[
        int, Query(ge=1, le=60, description="Days after the first moment in which orders count.")
    ] = HORIZON_DAYS,
    detect: Annotated[
        float, Query(ge=0.001, le=10, description="The lift to tell the people needed for: 0.1 is 10 %.")
    ] = 0.1,
) -> LiftOut:
    """Compares people who may be spoken to with those held out, from the first moment at which something was done, or
    would have been. People count as they were assigned, whatever they were shown. Looking every day is allowed."""
    async with services.database.transaction(caller.project_id) as tx:
        read = await read_people(
            tx,
            caller.project_id,
            datetime.now(UTC),
            since=since,
            until=until,
            horizon_days=days,
            detect=detect,
        )
    return lift_out(await asyncio.to_thread(lambda: work_out(read.people(), read.question, by)))


def lift_out(report: Report) -> LiftOut:
    """The report as JSON."""
    question = report.question
    margin_words = words.margin_words(report)
    return LiftOut(
        since=question.since,
        until=question.until,
        days_counted=question.horizon.days,
        holdout=question.share,
        currency=question.currency,
        treated=report.treated,
        held_out=report.held_out,
        waiting=report.waiting,
        balance=BalanceOut(
            held_out=report.balance.held_out,
            people=report.balance.people,
            expected=report.balance.expected,
            p=report.balance.p,
            alarm=report.balance.alarm,
            words=words.balance_words(report),
        ),
        conversion=_finding(report.conversion, words.conversion_words(report)),
        margin=None if report.margin is None else _finding(report.margin, margin_words),
        margin_words=margin_words,
        daily=[
            DayOut(
                at=day.at,
                people=day.people,
                conversion=_difference(day.conversion),
                margin=_difference(day.margin),
            )
            for day in report.days
        ],
        by=report.by,
        groups=[_group(report, group) for group in report.groups],
    )


def _group(report: Report, group: Group) -> GroupOut:
    return GroupOut(
        name=group.name,
        treated=group.treated,
        held_out=group.held_out,
        conversion=_finding(group.conversion, words.group_words(report, group)),
        conversion_p=group.conversion_p,
        conversion_believed=group.conversion_believed,
        margin=None if group.margin is None else _finding(group.margin, words.group_margin_words(report, group)),
        margin_p=group.margin_p,
        margin_believed=group.margin_believed,
    )


def _finding(finding: Finding, said: str) -> FindingOut:
    found = finding.comparison
    if found is None:
        return FindingOut(verdict="cannot tell", words=said, more_people=finding.more_people)
    return FindingOut(
        verdict=finding.verdict,
        words=said,
        treated_mean=found.treated_mean,
        held_out_mean=found.held_out_mean,
        difference=_interval(found.difference),
        ratio=None if found.ratio is None else _interval(found.ratio),
        p=found.p,
        explained=found.explained,
        more_people=finding.more_people,
    )


def _difference(found: Comparison | None) -> IntervalOut | None:
    return None if found is None else _interval(found.difference)


def _interval(interval: Interval) -> IntervalOut:
    return IntervalOut(value=interval.value, low=interval.low, high=interval.high)
