"""technical_error: something on the way to the order was broken.

A failure blocks when it hits the cart or the checkout and nothing worked after it. Trackers, advertisements and
pictures that fail are the normal state of a web page: they count for little, and only when the page was left at once.
A refusal (4xx) is the shop's answer, a wrong postcode or coupon say, and no defect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from insights.classification.evidence.clue import Clue, by_count, clue, times
from insights.classification.evidence.failures import is_broken, is_harmless, is_slow, status_of, way_to_order
from insights.classification.evidence.story import Story, soon_after
from insights.classification.places import is_foreign, number, request_path, text
from insights.timeline.timeline import TimelineEvent

LOST_MS: Final = 10_000
"""About the limit of keeping somebody's attention on a task, by long-standing response time research."""
AT_ONCE_S: Final = 60
"""Whoever leaves within a minute of a failure, without getting further, probably left because of it."""
IN_VAIN_S: Final = 30
"""A click this soon after a failure is another try at the same thing."""
WRONG_ADDRESS: Final = frozenset({401, 403, 404, 405, 410, 501})
"""Refusals that a customer cannot cause by what they type."""


def clues(story: Story) -> Iterator[Clue]:
    """What speaks for a technical error."""
    blocking: list[TimelineEvent] = []
    for group in _alike(story.of("request_failed")).values():
        where = way_to_order(group[0])
        stuck = not story.progress_after(group[-1])
        if is_broken(group[0]):
            if where == 0:
                # The shop's own server failing at the same thing again and again is no tracker.
                own = not is_foreign(group[0]) and not is_harmless(group[0]) and status_of(group[0]) >= 500
                weights = (0.15, 0.45, 0.6) if own and stuck else (0.03, 0.05, 0.1)
                yield clue(by_count(len(group), weights), times("met a failing request", group), group)
                continue
            if stuck:
                blocking += group
            base = by_count(len(group), (0.45, 0.7, 0.82) if stuck else (0.12, 0.2, 0.3))
            yield clue(base * where, times("met a failing request on the way to the order", group), group)
        elif status_of(group[0]) in WRONG_ADDRESS and where:
            base = by_count(len(group), (0.25, 0.5) if stuck else (0.05,))
            yield clue(base * where, times("met a request that the shop's own pages should not make", group), group)
            blocking += group if stuck else []
    yield from _slowness(story)
    yield from _scripts(story)
    if blocking:
        last = max(blocking, key=lambda event: event.at)
        if story.left_within(last, AT_ONCE_S):
            yield clue(0.35, "left within a minute of the last failure", [last])
        if tries := _in_vain(story, blocking):
            yield clue(0.3, "clicked in vain after it", tries)


def _slowness(story: Story) -> Iterator[Clue]:
    slow = [event for event in story.of("request_failed") if is_slow(event) and way_to_order(event)]
    if not slow:
        return
    if story.left_within(slow[-1], AT_ONCE_S):
        yield clue(by_count(len(slow), (0.3, 0.5)), times("waited for a slow checkout", slow), slow)
        if lost := [event for event in slow if (number(event, "ms") or 0) >= LOST_MS]:
            yield clue(0.2, "waited more than ten seconds at a time", lost)
    else:
        yield clue(0.12, times("waited for a slow checkout", slow), slow)


def _scripts(story: Story) -> Iterator[Clue]:
    for errors in _alike(story.of("js_error")).values():
        first = errors[0]
        if tries := _in_vain(story, errors):
            # A click that does nothing where a script just died: the two explain each other.
            yield clue(0.45, times("met a script error", errors), errors)
            yield clue(by_count(len(tries), (0.2, 0.35)), "clicked in vain after it", tries)
        elif is_harmless(first):
            continue
        elif _is_foreign_script(first):
            yield clue(0.05, "met an error in somebody else's script", errors)
        elif len(errors) >= 3 and not story.progress_after(errors[-1]):
            yield clue(0.4, times("met a script error", errors), errors)
        elif story.left_within(errors[-1], 20) and not story.progress_after(errors[-1]):
            yield clue(0.3, "left right after a script error", errors)
        else:
            yield clue(0.1, "met a script error", errors)


def _in_vain(story: Story, failures: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    causes = sorted(failures, key=lambda event: event.at)
    return soon_after(story.of("rage_click", "dead_click"), causes, IN_VAIN_S)


def _alike(failures: Iterable[TimelineEvent]) -> dict[tuple[object, ...], list[TimelineEvent]]:
    """The same failure of the same thing, together."""
    groups: dict[tuple[object, ...], list[TimelineEvent]] = defaultdict(list)
    for event in failures:
        if event.type == "js_error":
            groups[(text(event, "message"),)].append(event)
        else:
            groups[text(event, "method"), request_path(event), is_broken(event), is_slow(event)].append(event)
    return groups


def _is_foreign_script(event: TimelineEvent) -> bool:
    source, page = text(event, "source"), event.url or ""
    host = source.partition("://")[2].partition("/")[0]
    return bool(host) and host != page.partition("://")[2].partition("/")[0]
