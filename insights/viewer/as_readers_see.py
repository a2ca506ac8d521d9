"""A visit and what was done about it as readers see them: names and what was typed are hidden."""

from __future__ import annotations

from dataclasses import replace

from flows.store import DeliveryView, RunView
from insights.privacy import readers
from insights.viewer.one_session import OneSession


def visit(read: OneSession) -> OneSession:
    """The same visit, its events without names."""
    events = tuple(
        replace(event, url=readers.words(event.url), props=readers.props(event.type, event.props))
        for event in read.timeline.events
    )
    return replace(read, timeline=replace(read.timeline, events=events))


def run(view: RunView) -> RunView:
    """The same run; what was found of its visitor, and what providers said, without names."""
    return replace(
        view,
        history=[replace(line, detail=readers.run_words(line.detail)) for line in view.history],
        deliveries=[_delivery(one) for one in view.deliveries],
    )


def _delivery(view: DeliveryView) -> DeliveryView:
    return view if view.error is None else replace(view, error=readers.provider_words(view.error))
