"""Reads the fields of conditions from a moment: microseconds, no database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from flows.conditions import Compiled, Source, Value
from insights.conditions.fields import FIELDS, condition
from insights.conditions.places import Place
from insights.conditions.profile_fields import profile_reader
from insights.decisions.moment import Moment

_OF_MOMENT: Final[dict[str, Callable[[Moment], Any]]] = {
    "visitor.tags": lambda m: frozenset(m.profile.tags),
    "visitor.segments": lambda m: frozenset(m.profile.segments),
    "session.leaving": lambda m: m.leaving,
    "session.stalled": lambda m: m.stalled,
    "session.in_trouble": lambda m: m.trouble,
    "session.doubts_price": lambda m: m.pricing,
    "session.asks_policy": lambda m: m.policy,
    "session.shelf_elsewhere": lambda m: (
        m.profile.shelf == m.top_category != "" and m.profile.shelf_link not in ("", m.profile.page_link)
    ),
    "page.kind": lambda m: m.page.value,
    "page.path": lambda m: m.profile.page_path or None,
    # Counted once for the moment.
    "session.products_compared": lambda m: m.compared.products,
    "session.compared_in_category": lambda m: m.compared.same_category,
}


class _Moments:
    """Moments as a source of fields."""

    def reader(self, field: str, args: tuple[Value, ...]) -> Callable[[Moment], Any]:
        return _OF_MOMENT.get(field) or profile_reader(field, args) or (lambda moment: None)

    def now(self, subject: Moment) -> datetime:
        return datetime.fromtimestamp(subject.now_ms / 1000, UTC)


MOMENTS: Final[Source[Moment]] = _Moments()


def compiled(written: object) -> Compiled[Moment]:
    """A condition on moments, from its text or JSON form. Raises ConditionInvalid."""
    return Compiled(condition(written, Place.LIVE), FIELDS, MOMENTS)
