"""What the page of one session shows, put together from what was read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from insights.models import Insight
from insights.timeline.timeline import TimelineEvent
from insights.viewer.chapters import chapters
from insights.viewer.curve import LINES, draw, sampled
from insights.viewer.event_words import words_of
from insights.viewer.one_session import OneSession
from insights.viewer.refold import refold
from insights.viewer.replay import replay
from insights.viewer.verdicts import Verdict, citations, speaker, suggestions, verdicts
from insights.viewer.wording import REASONS, ago, label, moment, money
from insights.vocabulary.reasons import Kind, Reason, reasons_of

EVENTS_A_PAGE = 500


@dataclass(frozen=True, slots=True)
class Headline:
    """The outcome in a sentence. ``tone``: open, bought, left or waiting."""

    tone: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """One part of a long timeline; events ``first`` to ``last`` count from 1."""

    number: int
    first: int
    last: int
    current: bool


def session_context(read: OneSession, now: datetime, *, asked_page: str) -> dict[str, Any]:
    """The variables of the template. ``asked_page`` is the part of a long timeline that was asked for."""
    events = read.timeline.events
    cited = citations(read.insight, events)
    told = verdicts(read.decisions, events, session_open=read.is_open, weights=read.weights)
    numbers = {citation.event_id: citation.number for citation in cited if citation.event_id and citation.event}
    pages = event_pages(len(events), asked_page)
    current = next(part for part in pages if part.current)
    again = refold(read.timeline, read.earlier, sampled(len(events)), read.intent)
    at_event = _by_event(told)
    outcome_events = {verdict.outcome_event for verdict in told if verdict.outcome_event}
    return {
        "read": read,
        "session": read.session,
        "summary": read.summary,
        "insight": read.insight,
        "feedback": read.feedback,
        "other_reasons": _other_reasons(read.insight),
        "headline": headline(read, now),
        "facts": facts(read),
        "citations": cited,
        "words_of": words_of,
        "speaker": speaker,
        "suggestions": suggestions(read.insight) if read.insight is not None else (),
        "meaning": _meaning(read.insight.reason) if read.insight is not None else "",
        "curve": draw(events, again.scores, numbers, again.terms_at),
        "curve_lines": LINES,
        "replay": replay(events, numbers),
        "affinity": again.affinity,
        "terms": [(text, again.terms.get(name, ())) for name, text in LINES],
        "verdicts": {verdict.id: verdict for verdict in told},
        "acted": [verdict for verdict in told if not verdict.nothing],
        "why_nothing": why_nothing(len(told), _client(read), read.visitor.consent if read.visitor else {}),
        "event_pages": pages,
        "on_page": OnPage(events, pages),
        "chapters": chapters(
            events,
            start=current.first - 1,
            stop=current.last,
            citations=numbers,
            decisions=at_event,
            pointed_at=outcome_events,
        ),
    }


def event_pages(count: int, asked: str) -> list[EventPage]:
    """The parts of a timeline of ``count`` events; what cannot be read as a part asks for the first."""
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
    total = max(1, -(-count // EVENTS_A_PAGE))
    number = min(max(1, number), total)
    return [
        EventPage(n, (n - 1) * EVENTS_A_PAGE + 1, min(count, n * EVENTS_A_PAGE), n == number)
        for n in range(1, total + 1)
    ]


class OnPage:
    """Finds the link to an event: on this part of the timeline, or on another."""

    def __init__(self, events: Sequence[TimelineEvent], pages: Sequence[EventPage]) -> None:
        self._place = {event.id: index for index, event in enumerate(events)}
        self._current = next(part.number for part in pages if part.current)

    def __call__(self, event_id: UUID) -> str:
        part = self._place[event_id] // EVENTS_A_PAGE + 1
        return ("" if part == self._current else f"?events={part}") + f"#e-{event_id.hex}"


def headline(read: OneSession, now: datetime) -> Headline:
    """What the session came to, or when it will close."""
    session, summary = read.session, read.summary
    if session.closed_at is None:
        again = "It was closed before, and an order arrived late. " if read.insight is not None else ""
        if session.close_at is None or session.close_at <= now:
            detail = (
                "It is due to close now. If it stays open, no worker is running: look at the log of “whyleft serve”."
            )
        else:
            detail = (
                f"It closes {ago(session.close_at, now)}, at {moment(session.close_at)}, unless more happens. "
                "The insight follows within seconds."
            )
        return Headline("open", "This visit is still open", again + detail)
    late = (
        ""
        if session.close_at is None
        else f" Something arrived late: it is looked at again at {moment(session.close_at)}."
    )
    ended = f"Closed {moment(session.closed_at)}.{late}"
    if summary is None:
        return Headline("waiting", "Nothing is stored of this visit", "Its events were erased, or have not arrived.")
    if summary.purchased:
        order = _order(read.timeline.events)
        return Headline("bought", "They bought", order + late if order else ended)
    cart = summary.cart_value_minor
    text = f"They left {money(cart, summary.currency)} in the cart" if cart else "They left without buying"
    return Headline("left", text, f"Last seen on {summary.exit_path}.{late}" if summary.exit_path else ended)


def facts(read: OneSession) -> list[tuple[str, str]]:
    """Facts for the head of the page as (name, text), only those that are known."""
    session, summary = read.session, read.summary
    told: list[tuple[str, str]] = []
    if session.stage:
        told.append(("Stage", label(session.stage)))
    source = summary.source if summary is not None else session.source
    campaign = [source.get(name) for name in ("utm_source", "utm_medium", "utm_campaign")]
    came = " / ".join(str(part)[:60] for part in campaign if part) or str(source.get("referrer") or "")[:80]
    if came:
        told.append(("Came from", came))
    client = _client(read)
    device = [str(client.get(name))[:40] for name in ("viewport", "language", "time_zone") if client.get(name)]
    if client.get("bot"):
        device.append("says it is a bot")
    if device:
        told.append(("Device", " · ".join(device)))
    prior = read.timeline.prior
    if prior.sessions:
        visits = f"{prior.sessions} visit{'s' if prior.sessions != 1 else ''}"
        orders = f", {prior.purchases} with an order" if prior.purchases else ""
        told.append(("Came before", visits + orders))
    else:
        told.append(("Came before", "never"))
    if session.close_reason and session.closed_at is not None:
        told.append(("How it closed", label(session.close_reason)))
    return told


def why_nothing(decisions: int, client: Mapping[str, object], consent: Mapping[str, object]) -> str:
    """Why nothing was shown in a visit with so many decisions to do nothing."""
    if decisions:
        return f"Nothing was shown: in {decisions} decision{'s' if decisions != 1 else ''} doing nothing was chosen."
    if client.get("bot"):
        return "Nothing was decided: a browser that says it is a bot is shown nothing."
    if consent.get("analytics") is False:
        return "Nothing was decided: they do not want to be observed."
    return "Nothing was decided."


def _client(read: OneSession) -> Mapping[str, Any]:
    return read.summary.client if read.summary is not None else read.session.client


def _order(events: Sequence[TimelineEvent]) -> str:
    orders = [words_of(event).text for event in events if event.type == "purchased"]
    return "; ".join(text for text in orders if text)


def _other_reasons(insight: Insight | None) -> list[tuple[str, str]]:
    """(value, label) of the reasons it could have been instead."""
    if insight is None:
        return []
    return [(r.value, REASONS[r][0]) for r in reasons_of(Kind(insight.kind)) if r.value != insight.reason]


def _meaning(reason: str) -> str:
    return REASONS[Reason(reason)][1] if reason in set(Reason) else ""


def _by_event(told: Sequence[Verdict]) -> dict[UUID, list[UUID]]:
    placed: dict[UUID, list[UUID]] = {}
    for verdict in told:
        if verdict.event_id is not None:
            placed.setdefault(verdict.event_id, []).append(verdict.id)
    return placed
