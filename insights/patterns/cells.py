"""What sessions are grouped by when patterns are looked for, and where that stands in the database."""

from __future__ import annotations

import importlib.resources
import zoneinfo
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, true

from flows.zones import RENAMED
from insights.models import Session
from insights.segments.device_column import device_column
from insights.vocabulary.reasons import Kind


class Dimension(StrEnum):
    """The page a visit ended on, where it came from, its device, its browser's country, the product it was about."""

    ALL = "all"
    PAGE = "page"
    SOURCE = "source"
    DEVICE = "device"
    COUNTRY = "country"
    PRODUCT = "product"


DIRECT: Final = "direct"
"""The source of a visit that names none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A group of sessions of one kind, classified by one version of one classifier. ``name`` of ALL is empty."""

    dimension: Dimension
    name: str
    kind: Kind
    version: str


def column(dimension: Dimension) -> ColumnElement[Any]:
    """The name of a session's cell, NULL where it is not known. Of COUNTRY: its time zone (see ``country_of``)."""
    source = Session.source
    named: ColumnElement[Any]
    match dimension:
        case Dimension.PAGE:
            named = Session.exit_path.expression
        case Dimension.SOURCE:
            campaign, referrer = source["utm_source"].astext, source["referrer"].astext
            named = func.coalesce(func.nullif(campaign, ""), func.nullif(referrer, ""), DIRECT)
        case Dimension.DEVICE:
            named = device_column(Session.client)
        case Dimension.COUNTRY:
            named = Session.client["time_zone"].astext
        case Dimension.PRODUCT:
            named = Session.product.expression
        case Dimension.ALL:
            named = literal("")
    return named


def inside(dimension: Dimension, name: str) -> ColumnElement[bool]:
    """Whether a session is in the cell."""
    if dimension is Dimension.ALL:
        return true()
    if dimension is Dimension.COUNTRY:
        return column(dimension).in_([zone for zone, country in zones().items() if country == name])
    return column(dimension) == name


def country_of(zone: str) -> str | None:
    """The country (ISO 3166, two letters) of a time zone; None where it has none, as UTC."""
    return zones().get(zone)


@cache
def zones() -> dict[str, str]:
    """Time zone, by its old name and today's → country, by the system's time zone database, or else by Python's own
    copy; empty without both."""
    text = next((path.read_text() for path in _system_tables() if path.is_file()), None)
    if text is None:
        try:
            text = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
        except (ModuleNotFoundError, OSError):
            return {}
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    known = {row[2]: row[0] for row in rows if len(row) >= 3}
    # Browsers use both names; the table has one of them, an old table the old one.
    both = [(old, known.get(today) or known.get(old)) for old, today in RENAMED.items()]
    return known | {name: country for old, country in both if country for name in (old, RENAMED[old])}


def _system_tables() -> list[Path]:
    return [Path(folder) / "zone.tab" for folder in zoneinfo.TZPATH]
