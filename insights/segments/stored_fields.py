"""How each field that the database answers is read from the rows that it stands in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from flows.conditions import Value
from insights.conditions.consent import consents
from insights.conditions.fields import CHANNELS, SOURCES, WEEKDAYS
from insights.models import Insight

PHONE_PX: Final = 600
TABLET_PX: Final = 1_000
_VIEWPORT: Final = re.compile(r"(\d{1,5})x\d{1,5}")

Args = tuple[Value, ...]
Read = Callable[[Any, Args, datetime], Any]


@dataclass(frozen=True, slots=True)
class Said:
    """The insight of the visitor's latest classified visit."""

    insight: Insight
    ended_at: datetime


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _country(traits: Mapping[str, object]) -> str | None:
    address = traits.get("address")
    nested = address.get("country") if isinstance(address, dict) else None
    return _text(traits.get("country")) or _text(nested)


def _trait(traits: Mapping[str, object], args: tuple[Value, ...]) -> str | None:
    value = traits.get(str(args[0]))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _text(value)


def _trait_number(traits: Mapping[str, object], args: tuple[Value, ...]) -> float | None:
    value = traits.get(str(args[0]))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def device_of(client: Mapping[str, object]) -> str | None:
    """phone, tablet or desktop, by the width of the window that a visit began in."""
    found = _VIEWPORT.fullmatch(str(client.get("viewport")))
    if found is None:
        return None
    width = int(found[1])
    return "phone" if width < PHONE_PX else "tablet" if width < TABLET_PX else "desktop"


def _local_time(zone: ZoneInfo, args: Args, now: datetime) -> time:
    return now.astimezone(zone).time().replace(second=0, microsecond=0, fold=0)


def _consent(channel: str) -> Read:
    return lambda contact, args, now: consents(contact.consent, channel)


def _source(name: str) -> Read:
    return lambda session, args, now: _text(session.source.get(name))


STORED_FIELDS: Final[dict[str, tuple[str, Read]]] = {
    "visitor.tags": ("tags", lambda tags, args, now: tags),
    "visitor.identified": ("contact", lambda contact, args, now: bool(contact.user_id)),
    "visitor.has_phone": ("contact", lambda contact, args, now: bool(contact.phone)),
    "visitor.first_seen_at": ("visitor", lambda visitor, args, now: visitor.first_seen_at),
    "visitor.last_seen_at": ("last_seen_at", lambda at, args, now: at),
    "visitor.time_zone": ("zone", lambda zone, args, now: zone.key),
    "visitor.local_time": ("zone", _local_time),
    "visitor.local_weekday": ("zone", lambda zone, args, now: WEEKDAYS[now.astimezone(zone).weekday()]),
    "visitor.language": ("session", lambda session, args, now: _text(session.client.get("language"))),
    "visitor.country": ("traits", lambda traits, args, now: _country(traits)),
    "visitor.trait": ("traits", lambda traits, args, now: _trait(traits, args)),
    "visitor.trait_number": ("traits", lambda traits, args, now: _trait_number(traits, args)),
    "session.device": ("session", lambda session, args, now: device_of(session.client)),
    "session.landing_path": ("session", lambda session, args, now: session.landing_path),
    "session.exit_path": ("session", lambda session, args, now: session.exit_path),
    "session.started_at": ("session", lambda session, args, now: session.started_at),
    "insight.kind": ("said", lambda said, args, now: said.insight.kind),
    "insight.reason": ("said", lambda said, args, now: said.insight.reason),
    "insight.confidence": ("said", lambda said, args, now: said.insight.confidence),
    "insight.visit_ended_at": ("said", lambda said, args, now: said.ended_at),
    **{f"consent.{channel}": ("contact", _consent(channel)) for channel in CHANNELS},
    **{f"session.{source}": ("session", _source(source)) for source in SOURCES},
}
"""Field → the piece that it stands in (see Crowd), and how to read it there."""
