"""Runs an audit: files in, the tally and the range out; nothing is stored and nothing leaves the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from insights.audit.exports import Format, Happening, Unread, detect, read
from insights.audit.finding import look, mail_flows
from insights.audit.lines import Lines
from insights.audit.orders import told_once
from insights.audit.returning import Returning
from insights.audit.stakes import NOTHING_GIVEN, Given, Stakes, stakes
from insights.audit.tally import Tally
from insights.audit.visits import GAP_MS, Cutter, OutOfOrder, in_order
from insights.decisions.content import ShopFacts
from insights.decisions.offer import NO_FACTS, Catalogue
from insights.decisions.plan import RULES_ONLY, Plan
from insights.errors import Refused
from insights.settings import Settings

SHOWN_UNREAD: Final = 20
TELL_EVERY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What to audit, and what the shop says of itself. ``currency`` is that of prices without one."""

    paths: tuple[Path, ...]
    format: Format | None = None
    gap_ms: int = GAP_MS
    currency: str = ""
    facts: ShopFacts = NO_FACTS
    given: Given = NOTHING_GIVEN


@dataclass(slots=True)
class Reading:
    """What reading came to. ``problems``: what was wrong, digits left out → how often."""

    happenings: int = 0
    unread: int = 0
    examples: list[Unread] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    left_out: int = 0
    open_most: int = 0
    sorted: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit that is done."""

    wish: Wish
    format: Format
    reading: Reading
    tally: Tally
    back: tuple[int, int, float, float] | None
    stakes: Stakes


Told = Callable[[str, int, int], None]
"""Hears (what is being done, bytes done, of how many)."""


def run(wish: Wish, told: Told = lambda what, done, size: None) -> Audit:
    """Audits the files. Raises Refused for what is no export that can be read."""
    format = wish.format or detect(Lines(wish.paths))
    try:
        return _run(wish, format, told, sort=False)
    except OutOfOrder:
        return _run(wish, format, told, sort=True)


def _run(wish: Wish, format: Format, told: Told, *, sort: bool) -> Audit:
    lines = Lines(wish.paths)
    reading = Reading(sorted=sort)
    cutter = Cutter(wish.gap_ms)
    tally, returning, flows = Tally(), Returning(), mail_flows()
    plan = Plan(catalogue=Catalogue(RULES_ONLY.catalogue.offers, wish.facts))
    threshold = Settings().confidence_threshold
    what = "Sorting by time" if sort else "Reading"

    def happenings() -> Iterator[Happening]:
        for one in read(lines, format):
            if isinstance(one, Unread):
                _note(reading, one)
                continue
            reading.happenings += 1
            if reading.happenings % TELL_EVERY == 0:
                told(what, lines.read, lines.size)
            if wish.currency and "currency" not in one.props:
                one.props["currency"] = wish.currency
            yield one

    def counted(ordered: Iterator[Happening]) -> Iterator[Happening]:
        for number, one in enumerate(ordered, start=1):
            if number % TELL_EVERY == 0:
                told("Looking at visits", number, reading.happenings)
            yield one

    stream = counted(in_order(happenings())) if sort else happenings()
    for visit in cutter.visits(told_once(stream, wish.gap_ms)):
        reading.left_out += visit.left_out
        finding = look(visit, flows, threshold=threshold, plan=plan)
        tally.add(finding)
        if finding is not None:
            returning.see(finding)
    reading.duplicates, reading.open_most = cutter.duplicates, cutter.open_most
    if not reading.happenings:
        problem = (
            f" The first: line {reading.examples[0].line} {reading.examples[0].problem}." if reading.unread else ""
        )
        raise Refused(f"Nothing in the files can be read as {format}.{problem} Check the file, or name its --format.")
    back = returning.share() if tally.types["purchased"] else None
    return Audit(wish, format, reading, tally, back, stakes(tally, back, wish.given))


def _note(reading: Reading, unread: Unread) -> None:
    reading.unread += 1
    if len(reading.examples) < SHOWN_UNREAD:
        reading.examples.append(unread)
    if len(reading.problems) < 200:
        reading.problems["".join("0" if c.isdigit() else c for c in unread.problem)[:120]] += 1
