"""Pages of patterns: what changed, and one change with its share over time and the sessions behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.errors import Unavailable
from insights.models import Pattern, PatternLook
from insights.patterns.cells import Dimension
from insights.patterns.history import Asked, behind, over_time
from insights.patterns.look import Looked
from insights.patterns.read import pattern_named, patterns_before
from insights.patterns.tell import facts_of
from insights.patterns.words import cell_words, headline
from insights.reports.advice import ADVICE
from insights.viewer.filters import Filters
from insights.viewer.gate import Viewer
from insights.viewer.page_group import Desk, PageGroup, path_id
from insights.viewer.report_query import ReportQuery
from insights.viewer.session_list import read_where
from insights.viewer.share_chart import Chart, Happened, draw
from insights.viewer.verdicts import speaker
from insights.viewer.wording import COLOURS
from insights.vocabulary.reasons import Kind, Reason

FORM: Final = "patterns"
MOST: Final = 30
BEFORE: Final = timedelta(days=5)
AFTER: Final = timedelta(days=3)
STEP: Final = timedelta(hours=6)
LISTED: Final = 10

ENDS: Final = {
    "back": "The share is what it was.",
    "stays": "It has stayed for two weeks: it is the usual now.",
    "version": "Another version of the classifier speaks now; the two are not compared.",
    "quiet": "There are no such visits any more.",
}

Look = Callable[[UUID], Awaitable[Looked | None]]
"""Looks at a project now."""


class PatternPages(PageGroup):
    """``look`` None: this viewer stands alone and cannot look for patterns itself."""

    def __init__(self, desk: Desk, look: Look | None = None) -> None:
        super().__init__(desk)
        self._look = look

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/patterns", self.patterns),
            self._post("/patterns/look", self.look_now, form=FORM, refused="Nobody looked"),
            self._get("/patterns/{pattern_id}", self.pattern, missing="No such pattern"),
        ]

    async def patterns(self, request: Request, viewer: Viewer) -> Response:
        """What changed, newest first."""
        shown = request.query_params.get("show", "open")
        open_ = {"open": True, "over": False}.get(shown)
        try:
            before = UUID(request.query_params.get("before", ""))
        except ValueError:
            before = None
        async with self._reader.reading(viewer.project_id) as tx:
            rows = await patterns_before(tx, viewer.project_id, MOST + 1, before, open_=open_)
            looked = await tx.scalar(select(PatternLook).where(PatternLook.project_id == viewer.project_id))
        return self._page(
            request,
            viewer,
            "patterns",
            patterns=[(row, headline(facts_of(row))) for row in rows[:MOST]],
            older=str(rows[MOST - 1].id) if len(rows) > MOST else "",
            first=before is None,
            shown=shown if shown in ("open", "over") else "all",
            looked=looked,
            ends=ENDS,
            token=self._token(request, FORM) if self._look is not None and viewer.may("editor") else None,
        )

    async def pattern(self, request: Request, viewer: Viewer) -> Response:
        """One pattern."""
        pattern_id = path_id(request, "pattern_id", "pattern")
        now = self._now()
        async with self._reader.reading(viewer.project_id) as tx:
            row = await pattern_named(tx, viewer.project_id, pattern_id)
            until = min(now, row.ended_at or now, row.found_at + AFTER * 4)
            reason = Reason(row.reason)
            since = _whole(row.began_at - BEFORE)
            asked = Asked(Kind(row.kind), since, until, Dimension(row.dimension), row.name, version=row.version)
            listed_until = row.ended_at or now
            buckets = await over_time(tx, viewer.project_id, asked, STEP)
            of_reason = Asked(asked.kind, row.began_at, listed_until, asked.dimension, row.name, reason, row.version)
            listed = await read_where(tx, viewer.project_id, behind(viewer.project_id, of_reason), None, LISTED)
        chart: Chart | None = draw(buckets, since, STEP, [reason], _happened(row), totals=False)
        rises = row.after > row.before
        return self._page(
            request,
            viewer,
            "pattern",
            pattern=row,
            headline=headline(facts_of(row)),
            rises=rises,
            bad=rises == (row.kind == Kind.ABANDONED.value),
            chart=chart,
            colours=COLOURS,
            listed=listed,
            filters=Filters(),
            advice=next((sentence for one, sentence in ADVICE.values() if one.value == row.action), ""),
            params=[(name, value) for name, value in _telling(row).items() if value not in (None, "", 0)],
            ends=ENDS,
            cell_words=cell_words,
            speaker=speaker,
            behind=ReportQuery(
                kind=Kind(row.kind),
                dimension=asked.dimension,
                name=row.name,
                reason=reason,
                since=row.began_at,
                until=row.ended_at,
                version=row.version,
            ),
        )

    async def look_now(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Looks, and comes back to the list."""
        if self._look is None or await self._look(viewer.project_id) is None:
            raise Unavailable("Somebody is looking just now. Come back to the patterns in a moment.")
        return self._to(request, "/patterns")


def _whole(at: datetime) -> datetime:
    """The hour divisible by six before a time, so that stretches of time begin where days do."""
    return at.replace(hour=at.hour - at.hour % 6, minute=0, second=0, microsecond=0)


def _happened(row: Pattern) -> list[Happened]:
    found = [
        Happened(row.began_at, Reason(row.reason), f"Began about {row.began_at:%-d %b %H:%M}"),
        Happened(row.found_at, None, f"Found {row.found_at:%-d %b %H:%M}"),
    ]
    if row.ended_at is not None:
        found.append(Happened(row.ended_at, None, f"Over {row.ended_at:%-d %b %H:%M}"))
    return found


def _telling(row: Pattern) -> dict[str, Any]:
    """The parameters of the action that the page does not say anyway."""
    said = {"dimension", "name", "reason", "sessions"}
    if row.dimension == Dimension.PAGE.value:
        said.add("page")
    return {name: value for name, value in row.params.items() if name not in said}
