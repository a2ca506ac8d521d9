"""The lift page: what acting brings, as it stood each day, by group, in words and pictures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.errors import Refused
from insights.lift import words
from insights.lift.comparison import Comparison
from insights.lift.read import HORIZON_DAYS, read_people
from insights.lift.report import BY, Finding, Group, Report, work_out
from insights.viewer import interval_chart
from insights.viewer.gate import Viewer
from insights.viewer.page_group import PageGroup

BY_WORDS: Final = {"action": "Action", "stage": "Stage", "segment": "Segment"}
OUTCOMES: Final = {"conversion": "Who buys", "margin": "Margin"}
DAYS: Final = (1, 3, 7, 14, 30)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was asked for; what it does not know falls back to the usual."""

    outcome: str = "conversion"
    by: str = "action"
    days: int = HORIZON_DAYS


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group on the page."""

    group: Group
    finding: Finding
    difference: str
    believed: bool
    said: str
    row: interval_chart.Row | None


class LiftPages(PageGroup):
    """The lift page."""

    def routes(self) -> list[BaseRoute]:
        return [self._get("/lift", self.lift)]

    async def lift(self, request: Request, viewer: Viewer) -> Response:
        """What acting brings."""
        asked = _asked(request.query_params)
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                read = await read_people(tx, viewer.project_id, self._now(), horizon_days=asked.days)
        except Refused as error:
            return self._say(
                request,
                viewer,
                error.status,
                "Too many people at once",
                f"Ask GET /v1/lift for a shorter time. {error.detail}",
            )
        report = await asyncio.to_thread(lambda: work_out(read.people(), read.question, asked.by))
        if asked.outcome == "margin" and report.margin is None:
            asked = Asked("conversion", asked.by, asked.days)
        return self._page(
            request,
            viewer,
            "lift",
            asked=asked,
            report=report,
            server=self._server(request),
            by_words=BY_WORDS,
            outcomes=OUTCOMES if report.margin is not None else {"conversion": OUTCOMES["conversion"]},
            day_choices=DAYS,
            **_context(report, asked),
        )


def _asked(params: QueryParams) -> Asked:
    outcome, by, days = params.get("of", ""), params.get("by", ""), params.get("days", "")
    return Asked(
        outcome if outcome in OUTCOMES else "conversion",
        by if by in BY else "action",
        int(days) if days in {str(choice) for choice in DAYS} else HORIZON_DAYS,
    )


def _context(report: Report, asked: Asked) -> dict[str, Any]:
    margin = asked.outcome == "margin"
    unit: words.Unit = words.Margin(report.question.currency or "") if margin else words.Conversion()

    def of_day(comparison: Comparison | None) -> str:
        return "too few" if comparison is None else _interval(comparison, unit)

    daily = [(day.at, day.people, day.margin if margin else day.conversion) for day in report.days]
    told = [(at, comparison.difference) for at, _, comparison in daily if comparison is not None]
    return {
        "conversion_words": _tight(words.conversion_words(report)),
        "margin_words": _tight(words.margin_words(report)),
        "balance_words": _tight(words.balance_words(report)),
        "share": _tight(words.share(report.question.share)),
        "chart": interval_chart.draw(told, unit.signed),
        "daily": [(at, people, of_day(comparison)) for at, people, comparison in reversed(daily)],
        "group_rows": _group_rows(report, margin, unit),
    }


def _group_rows(report: Report, margin: bool, unit: words.Unit) -> list[GroupRow]:
    found = [(group, group.margin if margin else group.conversion) for group in report.groups]
    intervals = [
        None if finding is None or finding.comparison is None else finding.comparison.difference for _, finding in found
    ]
    made = []
    for (group, finding), row in zip(found, interval_chart.rows(intervals), strict=True):
        if finding is None:
            continue
        said = words.group_margin_words(report, group) if margin else words.group_words(report, group)
        believed = group.margin_believed if margin else group.conversion_believed
        difference = "" if finding.comparison is None else unit.signed(finding.comparison.difference.value)
        made.append(GroupRow(group, finding, difference, believed, _tight(said), row))
    return made


def _tight(text: str) -> str:
    """Without line breaks inside of an amount."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%").replace("−", "−\N{WORD JOINER}").replace("+", "+\N{WORD JOINER}")


def _interval(comparison: Comparison, unit: words.Unit) -> str:
    low, high = comparison.difference.low, comparison.difference.high
    assert low is not None and high is not None  # noqa: S101 - a difference always has both
    return f"{unit.signed(comparison.difference.value)} ({unit.signed(low)} to {unit.signed(high)})"
