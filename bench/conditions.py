"""How long conditions take: read, printed, compiled, evaluated over a moment as live actions are, explained.

`python -m bench.conditions [--json]`. Thread CPU time of one call; the median of many. The bar is a live action's: the
evaluation stands in the page's time, everything else does not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from uuid import uuid4

from bench.report import Figure, report
from flows.conditions import Compiled, to_words, understand, write
from insights.conditions.fields import FIELDS
from insights.decisions.moment import moment_of
from insights.decisions.reading import MOMENTS
from insights.intents.score import score
from insights.intents.stage import stage_of
from insights.profiles.fold import fold
from insights.profiles.profile import Profile
from insights.vocabulary.ids import uuid7

START = 1_760_000_000_000
CALLS = 20_000
BAR_US = 10.0

SIMPLE = "cart.items > 0"
TYPICAL = """cart.value >= 50.00 EUR and visitor.stage in ("cart_adder", "high_intent")
    and (session.leaving = true or session.stalled = true or session.engaged > 2m)
    and not visitor.tags has any ("staff", "vip") and consent.marketing is known"""


def main() -> None:
    """Measures and reports."""
    figures = []
    moment = _moment()
    large = " and ".join(f"(session.pages > 99 or session.products_seen < {n + 2})" for n in range(50))
    for name, text, bar in (("one check", SIMPLE, BAR_US), ("8 checks", TYPICAL, BAR_US), ("100 checks", large, None)):
        condition = understand(text, FIELDS)
        compiled = Compiled(condition, FIELDS, MOMENTS)
        document = write(condition)
        took = median(lambda truth=compiled.truth: truth(moment), CALLS)
        figures.append(Figure(f"evaluate {name}", took, "µs", bar, None if bar is None else took <= bar, CALLS))
        rare: dict[str, Callable[[], object]] = {
            "read text of": lambda text=text: understand(text, FIELDS),
            "read JSON of": lambda document=document: understand(document, FIELDS),
            "print": lambda condition=condition: to_words(condition),
            "compile": lambda condition=condition: Compiled(condition, FIELDS, MOMENTS),
            "explain": lambda compiled=compiled: compiled.explain(moment),
        }
        figures += [Figure(f"{what} {name}", median(call, 300), "µs", n=300) for what, call in rare.items()]
    report("conditions", figures)


def median(call: Callable[[], object], calls: int) -> float:
    """Microseconds of this thread's processor time for one call, the middle of so many."""
    took = []
    for _ in range(calls):
        started = time.thread_time_ns()
        call()
        took.append(time.thread_time_ns() - started)
    return round(statistics.median(took) / 1000, 2)


def _moment() -> object:
    profile = Profile()
    told = (
        ("page_viewed", {"path": "/"}),
        ("product_viewed", {"product_id": "p", "category": "shoes"}),
        ("cart_added", {"product_id": "p", "cart_value_minor": 6_000, "currency": "EUR"}),
        ("exit_intent", {"kind": "pointer"}),
    )
    session = uuid7(START)
    for number, (kind, props) in enumerate(told):
        at = START + number * 1000
        fold(profile, event_id=uuid4(), session_id=session, at_ms=at, type=kind, path="/", props=props)
    intent = score(profile, START)
    stage = stage_of(profile, intent)
    return moment_of(profile, intent, stage, now_ms=START, event_type="exit_intent", path="/")


if __name__ == "__main__":
    main()
