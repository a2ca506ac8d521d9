"""The first page: today against usual, what changed, what it brings, and what needs a human."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from flows.models import Conversion, Delivery, FlowRun
from insights.events.orders import HAS_NO_VISIT
from insights.models import BY_A_PERSON, ChannelSetup, Session
from insights.patterns.history import Today, so_far_by_day
from insights.patterns.read import patterns_before
from insights.patterns.tell import facts_of
from insights.patterns.words import headline
from insights.reports.before_after import Difference, difference
from insights.viewer.gate import Viewer
from insights.viewer.lift_standing import LiftStanding
from insights.viewer.page_group import Desk, PageGroup
from insights.viewer.report_query import ReportQuery, first_day
from insights.viewer.session_list import any_session
from insights.viewer.wording import money
from insights.vocabulary.reasons import Kind, Reason
from insights.vocabulary.shares import percent

DAYS_BEFORE: Final = 7
MOST_PATTERNS: Final = 5
MOST_REASONS: Final = 5
MANY: Final = 10
"""Usual visits from which on tenths tell nothing."""
LEAST_VISITS: Final = 5
"""Fewer with a reason are called neither more nor less than usual."""


@dataclass(frozen=True, slots=True)
class Number:
    """A figure of today beside what it usually is by this time of day. ``link`` leads to the visits behind it."""

    label: str
    text: str
    usual: str
    link: str


@dataclass(frozen=True, slots=True)
class ReasonToday:
    """A reason's share today (0..1), and how it differs from its usual one (None without usual visits)."""

    reason: Reason
    visits: int
    share: float
    change: Difference | None
    link: str

    @property
    def unusual(self) -> str:
        """ "more" or "less" than usual by more than chance explains, in what is usual as well, or ""."""
        if self.change is None or not self.change.differs or self.visits < LEAST_VISITS:
            return ""
        return "more" if self.change.value > 0 else "less"


@dataclass(frozen=True, slots=True)
class Need:
    """Something that only a human can settle."""

    text: str
    todo: str
    link: str


class HomePages(PageGroup):
    """The first page after the login."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._lift = LiftStanding(desk.reader, desk.clock)

    def routes(self) -> list[BaseRoute]:
        return [self._get("/", self.home)]

    async def home(self, request: Request, viewer: Viewer) -> Response:
        """Today."""
        now = self._now()
        async with self._reader.reading(viewer.project_id) as tx:
            if not await any_session(tx, viewer.project_id):
                return self._page(request, viewer, "welcome", place="home", server=self._server(request))
            days = await so_far_by_day(tx, viewer.project_id, now, DAYS_BEFORE)
            patterns = await patterns_before(tx, viewer.project_id, MOST_PATTERNS + 1, open_=True)
            needs = await _needs(tx, viewer.project_id)
            elsewhere = await _orders_of_no_visit(tx, viewer.project_id, first_day(now, 1))
            bots = await _visits_of_bots(tx, viewer.project_id, first_day(now, 1))
        lift = await self._lift.of(viewer.project_id)
        if lift is not None and lift.alarm:
            needs.append(Need("The groups that lift compares do not fit.", lift.alarm, "/lift"))
        today, before = days[-1], days[:-1]
        return self._page(
            request,
            viewer,
            "home",
            numbers=_numbers(today, before, now),
            left=_reasons(Kind.ABANDONED, today, before, now),
            bought=_reasons(Kind.CONVERTED, today, before, now),
            patterns=[(row, headline(facts_of(row))) for row in patterns[:MOST_PATTERNS]],
            more_patterns=len(patterns) > MOST_PATTERNS,
            lift=lift,
            needs=needs,
            elsewhere=elsewhere,
            bots=bots,
            days_before=DAYS_BEFORE,
            usual=bool(before),
            late=today.late,
        )


def _numbers(today: Today, before: list[Today], now: datetime) -> list[Number]:
    since = first_day(now, 1)
    whole = ReportQuery(both=True, since=since, until=now)
    count = len(before)
    visits = sum(day.sessions for day in before)
    bought = sum(day.bought for day in before)

    def mean(of: float) -> str:
        return f"{of:,.1f}" if 0 < of < MANY else f"{of:,.0f}"

    def share(part: int, of: int) -> str:
        return percent(part / of, 1) if of else "–"

    def in_carts(days: list[Today], divisor: int) -> str:
        sums: dict[str | None, int] = {}
        for day in days:
            for code, minor in day.at_stake.items():
                sums[code] = sums.get(code, 0) + minor
        return " + ".join(
            money(round(minor / divisor), code)
            for code, minor in sorted(sums.items(), key=lambda its: its[0] or "")
            if minor
        )

    carts = ReportQuery(kind=Kind.ABANDONED, since=since, until=now, left_cart=True)
    orders = ReportQuery(kind=Kind.CONVERTED, since=since, until=now)
    return [
        Number("Visits", f"{today.sessions:,}", mean(visits / count) if count else "", whole.link()),
        Number("Bought", share(today.bought, today.sessions), share(bought, visits) if count else "", orders.link()),
        Number(
            "Left in carts",
            in_carts([today], 1) or "nothing",
            (in_carts(before, count) or "nothing") if count else "",
            carts.link(),
        ),
    ]


def _reasons(kind: Kind, today: Today, before: list[Today], now: datetime) -> list[ReasonToday]:
    total = sum(count for (its, _), count in today.reasons.items() if its is kind)
    usual = sum(count for day in before for (its, _), count in day.reasons.items() if its is kind)
    made = []
    for (its, reason), count in sorted(today.reasons.items(), key=lambda item: (-item[1], item[0][1])):
        if its is not kind:
            continue
        was = sum(day.reasons.get((kind, reason), 0) for day in before)
        link = ReportQuery(kind=kind, reason=reason, since=first_day(now, 1), until=now).link()
        made.append(ReasonToday(reason, count, count / total, difference(was, usual, count, total), link))
    return made[:MOST_REASONS]


async def _orders_of_no_visit(tx: AsyncSession, project_id: UUID, since: datetime) -> int:
    """Where a shop has no other orders, its share of buyers is zero, and this says why."""
    placed = (Conversion.project_id == project_id, Conversion.occurred_at >= since, HAS_NO_VISIT)
    return await tx.scalar(select(func.count()).select_from(Conversion).where(*placed)) or 0


async def _visits_of_bots(tx: AsyncSession, project_id: UUID, since: datetime) -> int:
    """They are in the list of sessions, and in no other number."""
    closed = (Session.project_id == project_id, Session.closed_at >= since, ~BY_A_PERSON)
    return await tx.scalar(select(func.count()).select_from(Session).where(*closed)) or 0


async def _needs(tx: AsyncSession, project_id: UUID) -> list[Need]:
    needs = []
    unknown = await tx.scalar(
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.project_id == project_id, Delivery.status == "unknown", Delivery.fate.is_(None))
    )
    if unknown:
        needs.append(
            Need(
                f"{unknown:,} message{'' if unknown == 1 else 's'} may or may not have gone out.",
                "Look in the provider's log; nothing is sent again by itself.",
                "/messages/unknown",
            )
        )
    failing = await tx.scalars(
        select(ChannelSetup.name).where(
            ChannelSetup.project_id == project_id, ChannelSetup.enabled, ChannelSetup.failures > 0
        )
    )
    needs += [Need(f"{name} fails.", "See what the provider says, and mend it.", "/channels") for name in failing]
    dead = await tx.scalar(
        select(func.count()).select_from(FlowRun).where(FlowRun.project_id == project_id, FlowRun.status == "dead")
    )
    if dead:
        needs.append(
            Need(
                f"{dead:,} flow run{'' if dead == 1 else 's'} gave up.",
                "See why, mend it, and put them back to work.",
                "/runs/dead",
            )
        )
    return needs
