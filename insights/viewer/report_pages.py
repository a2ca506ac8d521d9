"""Pages of reports: the reason mix over time, by cell, before and after a change; the sessions behind every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.roles import Role
from insights.errors import Refused
from insights.models import Pattern
from insights.patterns import subscribers
from insights.patterns.cells import Dimension
from insights.patterns.history import Bucket, behind, over_time_and_by_cell, patterns_between
from insights.patterns.tell import facts_of
from insights.patterns.words import cell_words, headline
from insights.reports.before_after import Difference, difference
from insights.reports.mix import wilson
from insights.viewer.csv_file import Cell, csv_response
from insights.viewer.filters import Filters, read_request
from insights.viewer.gate import Viewer
from insights.viewer.page_group import PageGroup
from insights.viewer.report_query import DAYS, ReportQuery, first_day, read_query
from insights.viewer.session_list import read_where
from insights.viewer.share_chart import Chart, Happened, draw
from insights.viewer.wording import COLOURS
from insights.vocabulary.reasons import Reason, reasons_of

STEP: Final = timedelta(days=1)
FORM: Final = "subscriptions"
"""What the form of scheduled mails is signed for."""

DIMENSIONS: Final = {
    Dimension.PAGE: "Page they left",
    Dimension.SOURCE: "Where they came from",
    Dimension.DEVICE: "Device",
    Dimension.COUNTRY: "Country",
    Dimension.PRODUCT: "Product",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One reason of the report: sessions, share and interval (0..1), and what changed at the split."""

    reason: Reason
    sessions: int
    share: float
    low: float
    high: float
    change: Difference | None


@dataclass(frozen=True, slots=True)
class CellLine:
    """One cell: its sessions, and its most frequent reason with share and interval."""

    name: str
    sessions: int
    reason: Reason
    hits: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """All of one report."""

    since: datetime
    days: tuple[datetime, ...]
    buckets: tuple[Bucket, ...]
    sessions: int
    before: int
    lines: tuple[Line, ...]
    cells: tuple[CellLine, ...]
    more_cells: int
    late: int
    patterns: Sequence[Pattern]


class ReportPages(PageGroup):
    """The report and its exports."""

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/reports", self.report),
            self._get("/reports/sessions", self.sessions),
            self._get("/reports/mix.csv", self.as_csv),
            self._get("/reports/mix.svg", self.as_svg),
            self._post(
                "/reports/subscribe",
                self.subscribe,
                form=FORM,
                refused="Nobody was subscribed",
                role=Role.ADMIN,
                again=self.report,
            ),
            self._post("/reports/unsubscribe", self.unsubscribe, form=FORM, role=Role.ADMIN),
        ]

    async def report(self, request: Request, viewer: Viewer) -> Response:
        """The mix over time."""
        asked = read_query(request.query_params)
        read = await self._read(viewer, asked)
        async with self._reader.reading(viewer.project_id) as tx:
            subscribed = await subscribers.subscriptions(tx, viewer.project_id)
        return self._page(
            request,
            viewer,
            "reports",
            asked=asked,
            report=read,
            chart=_chart(read, asked),
            changed=[(row, headline(facts_of(row))) for row in _marked(read, asked)],
            colours=COLOURS,
            where=cell_words(asked.dimension, asked.name),
            dimensions=DIMENSIONS,
            day_choices=DAYS,
            subscribed=subscribed,
            token=self._token(request, FORM),
        )

    async def sessions(self, request: Request, viewer: Viewer) -> Response:
        """The sessions behind a number, newest first."""
        asked = read_query(request.query_params)
        now = self._now()
        cursor = read_request(request.query_params).cursor
        async with self._reader.reading(viewer.project_id) as tx:
            listed = await read_where(tx, viewer.project_id, behind(viewer.project_id, asked.asked(now)), cursor)
        return self._page(
            request,
            viewer,
            "report_sessions",
            asked=asked,
            listed=listed,
            at_start=cursor is None,
            filters=Filters(),
            since=asked.asked(now).since,
            until=asked.asked(now).until,
            where=cell_words(asked.dimension, asked.name),
        )

    async def as_csv(self, request: Request, viewer: Viewer) -> Response:
        """Sessions by day and reason."""
        asked = read_query(request.query_params)
        read = await self._read(viewer, asked)
        rows: list[list[Cell]] = [
            [f"{day:%Y-%m-%d}", asked.kind, reason, hits, bucket.sessions, *_shares(hits, bucket.sessions)]
            for day, bucket in zip(read.days, read.buckets, strict=True)
            if bucket.sessions
            for reason in reasons_of(asked.kind)
            for hits in [bucket.reasons.get(reason, 0)]
        ]
        header = ["day", "kind", "reason", "sessions", "of", "share", "low", "high"]
        return csv_response("reasons.csv", header, rows)

    async def as_svg(self, request: Request, viewer: Viewer) -> Response:
        """The chart by itself."""
        asked = read_query(request.query_params)
        read = await self._read(viewer, asked)
        chart = _chart(read, asked)
        made = self._desk.templates.get_template("report.svg").render(
            chart=chart, colours=COLOURS, title=f"Reasons {cell_words(asked.dimension, asked.name)}"
        )
        return _file(made.strip(), "image/svg+xml", "reasons.svg")

    async def subscribe(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Has reports and patterns mailed to an address."""
        rhythm = form.get("report", "")
        if rhythm not in ("", "daily", "weekly"):
            raise Refused("Choose daily, weekly, or only what changed.", field="report")
        async with self._database.transaction(viewer.project_id) as tx:
            await subscribers.subscribe_mail(
                tx, viewer.project_id, form.get("address", ""), report=rhythm or None, now=self._now()
            )
        return self._to(request, "/reports", done="subscribed")

    async def unsubscribe(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Ends that."""
        try:
            subscription_id = UUID(form.get("subscription", ""))
        except ValueError:
            raise Refused("Choose one of the list.", field="subscription") from None
        async with self._database.transaction(viewer.project_id) as tx:
            await subscribers.unsubscribe(tx, viewer.project_id, subscription_id)
        return self._to(request, "/reports", done="unsubscribed")

    async def _read(self, viewer: Viewer, asked: ReportQuery) -> Report:
        now = self._now()
        since = first_day(now, asked.days)
        wanted = asked.asked(now, since=since, until=now, reason=None)
        async with self._reader.reading(viewer.project_id) as tx:
            both = await over_time_and_by_cell(tx, viewer.project_id, wanted, STEP, asked.by)
            patterns = await patterns_between(tx, viewer.project_id, asked.kind, since, now)
        buckets = both.buckets
        days = tuple(since + number * STEP for number in range(len(buckets)))
        split = None if asked.split is None else datetime.combine(asked.split, time(), UTC)
        lines, before = _lines(buckets, days, split)
        return Report(
            since,
            days,
            tuple(buckets),
            sum(bucket.sessions for bucket in buckets),
            before,
            lines,
            tuple(_cell(name, bucket) for name, bucket in both.cells),
            both.more_cells,
            both.late,
            patterns,
        )


def _lines(buckets: Sequence[Bucket], days: Sequence[datetime], split: datetime | None) -> tuple[tuple[Line, ...], int]:
    whole, early = Bucket(), Bucket()
    for day, bucket in zip(days, buckets, strict=True):
        for reason, count in bucket.reasons.items():
            whole.add(reason, count)
            if split is not None and day < split:
                early.add(reason, count)
    made = []
    for reason, hits in sorted(whole.reasons.items(), key=lambda item: (-item[1], item[0])):
        low, high = wilson(hits / whole.sessions, whole.sessions)
        change = None
        if split is not None:
            was = early.reasons.get(reason, 0)
            change = difference(was, early.sessions, hits - was, whole.sessions - early.sessions)
        made.append(Line(reason, hits, hits / whole.sessions, low, high, change))
    return tuple(made), early.sessions


def _cell(name: str, bucket: Bucket) -> CellLine:
    reason, hits = min(bucket.reasons.items(), key=lambda item: (-item[1], item[0]))
    low, high = wilson(hits / bucket.sessions, bucket.sessions)
    return CellLine(name, bucket.sessions, reason, hits, hits / bucket.sessions, low, high)


def _shares(hits: int, of: int) -> list[float]:
    """The share and its interval, as the file has them."""
    return [round(share, 4) for share in (hits / of, *wilson(hits / of, of))]


def _marked(read: Report, asked: ReportQuery) -> list[Pattern]:
    """The patterns of the cell that is looked at; everywhere, all of them."""
    return [
        row
        for row in read.patterns
        if asked.dimension is Dimension.ALL or (row.dimension, row.name) == (asked.dimension.value, asked.name)
    ]


def _chart(read: Report, asked: ReportQuery) -> Chart | None:
    happened = [Happened(row.began_at, Reason(row.reason), headline(facts_of(row))) for row in _marked(read, asked)]
    if asked.split is not None:
        at = datetime.combine(asked.split, time(), UTC)
        happened.append(Happened(at, None, f"Your change, {asked.split:%-d %b}"))
    return draw(read.buckets, read.since, STEP, [line.reason for line in read.lines], happened)


def _file(content: str, media_type: str, name: str) -> Response:
    headers: dict[str, Any] = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
