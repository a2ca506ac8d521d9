"""What a report was asked for: reads the query string, and writes links with some of it changed.

Odd input never fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from insights.patterns.cells import Dimension
from insights.patterns.history import Asked
from insights.vocabulary.reasons import Kind, Reason

DAYS: Final = (7, 14, 30, 90)
USUAL_DAYS: Final = 14
MOST_NAME: Final = 500


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """``split``: the day (UTC) of a change; before is compared with from then on. ``by``: what cells are listed.
    ``reason``, ``left_cart`` and ``since``/``until`` narrow a list of sessions, ``both``: whichever kind."""

    kind: Kind = Kind.ABANDONED
    dimension: Dimension = Dimension.ALL
    name: str = ""
    days: int = USUAL_DAYS
    split: date | None = None
    by: Dimension = Dimension.PAGE
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    version: str | None = None
    both: bool = False
    left_cart: bool = False

    def link(self, **changes: Any) -> str:
        """As a query string with its question mark, or "" for the usual report."""
        one, usual = replace(self, **changes), ReportQuery()
        pairs = [
            (name, _written(value))
            for name in self.__dataclass_fields__
            if (value := getattr(one, name)) is not None and value != getattr(usual, name)
        ]
        return "?" + urlencode(pairs, quote_via=quote, safe="/") if pairs else ""

    def fields(self, *without: str) -> list[tuple[str, str]]:
        """What a form must carry along so that the rest of the report stays."""
        usual = ReportQuery()
        return [
            (name, _written(value))
            for name in self.__dataclass_fields__
            if name not in without and (value := getattr(self, name)) is not None and value != getattr(usual, name)
        ]

    def asked(self, now: datetime, **changes: Any) -> Asked:
        """The sessions it is about. Whole days (UTC) and today so far, unless times are given."""
        since = self.since or first_day(now, self.days)
        return replace(
            Asked(
                None if self.both else self.kind,
                since,
                self.until or now,
                self.dimension,
                self.name,
                self.reason,
                self.version,
                self.left_cart,
            ),
            **changes,
        )


def first_day(now: datetime, days: int) -> datetime:
    """Midnight (UTC) of the first of ``days`` days that end with today."""
    return datetime.combine(now.astimezone(UTC).date() - timedelta(days=days - 1), time(), UTC)


def read_query(params: Mapping[str, str]) -> ReportQuery:
    """Reads a query string; what cannot be read is as usual."""
    usual = ReportQuery()
    dimension = _word(Dimension, params.get("dimension", "")) or usual.dimension
    name = params.get("name", "")[:MOST_NAME].replace("\0", "")
    days = params.get("days", "")
    return ReportQuery(
        kind=_word(Kind, params.get("kind", "")) or usual.kind,
        dimension=dimension if name or dimension is Dimension.ALL else Dimension.ALL,
        name=name if dimension is not Dimension.ALL else "",
        days=int(days) if days in {str(one) for one in DAYS} else usual.days,
        split=_day(params.get("split", "")),
        by=_word(Dimension, params.get("by", "")) or usual.by,
        reason=_word(Reason, params.get("reason", "")),
        since=_moment(params.get("since", "")),
        until=_moment(params.get("until", "")),
        version=params.get("version", "")[:200].replace("\0", "") or None,
        both=params.get("both", "") == "True",
        left_cart=params.get("left_cart", "") == "True",
    )


def _word(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if at is None or not 2000 <= at.year <= 9000:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
