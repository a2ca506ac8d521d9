"""Decides on a batch: by the visitor's live profile before the commit, once more after it where the profile was behind.

What may go wrong with a decision never costs the shop its events.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from msgspec import structs
from sqlalchemy.exc import DBAPIError

from insights.api.asking import Asked
from insights.api.reporting import unreachable
from insights.decisions.decide import Choice, decide
from insights.decisions.guardrails import Limits
from insights.decisions.kept import mark_shown
from insights.decisions.logged import row_of
from insights.decisions.plan import Plan
from insights.decisions.set_aside import reservation_of
from insights.errors import WhyleftError
from insights.events.entry import Entry
from insights.events.record import Recorder
from insights.intents.score import score
from insights.plans.book import PlanBook
from insights.profiles.loading import ProfileLoader
from insights.profiles.order import fold_in_place
from insights.profiles.pages import event_path
from insights.profiles.profile import Profile
from insights.profiles.store import Copy, LiveProfiles, load_nothing
from insights.vocabulary.actions import LiveAction

FRESH_MS = 60_000
"""Older news is stored, but nothing is decided on it: the moment to show something has passed."""

MOST_FULL: Final = 3
"""Entries for which there was no room at one moment: then nothing is shown."""

log = structlog.get_logger()


class _NotLookedFor(Exception):
    """Nobody knows the visitor by heart, and this is not the moment to ask."""


class Deciding:
    """Live profiles, plans and the decisions that are made by them."""

    def __init__(
        self, *, profiles: LiveProfiles, plans: PlanBook, loader: ProfileLoader, recorder: Recorder, limits: Limits
    ) -> None:
        self._profiles = profiles
        self._plans = plans
        self._loader = loader
        self._recorder = recorder
        self._limits = limits

    async def prepare(self, project_id: UUID, visitor_id: UUID, *, new: bool = False) -> tuple[Plan, Copy | None]:
        """What the project decides by now, and the visitor's profile, to be given back with ``settle`` or ``forget``.

        ``new``: they have just come; nobody asks PostgreSQL for them. None for a visitor for whom it would have to be
        asked while their project floods: that costs the others more than all the rest. Raises Unavailable.
        """
        try:
            plan = self._plans.at_hand(project_id)
            if plan is None:
                plan = await self._recorder.while_there(self._plans.plan_of(project_id))
            copy = self._profiles.at_hand(project_id, visitor_id, new=new)
            if copy is None:
                load = load_nothing if new else partial(self._look_for, project_id, visitor_id)
                with suppress(_NotLookedFor):
                    copy = await self._recorder.while_there(self._profiles.take(project_id, visitor_id, load))
        except (DBAPIError, OSError, TimeoutError) as error:
            raise unreachable(error) from error
        return plan, copy

    async def _look_for(self, project_id: UUID, visitor_id: UUID) -> Copy:
        if self._recorder.spares(project_id):
            raise _NotLookedFor
        return await self._loader.load(project_id, visitor_id)

    def forget(self, project_id: UUID, visitor_id: UUID) -> None:
        """The profile holds what was perhaps never stored: it must be built again."""
        self._profiles.forget(project_id, visitor_id)

    def settle(self, project_id: UUID, entry: Entry, copy: Copy) -> None:
        """Gives a profile back, once ``entry`` is recorded."""
        # Whether it is right was compared in the commit itself: what is not is built again.
        if entry.before is None or entry.stale or entry.undecided:
            log.debug("profile_forgotten", stale=entry.stale, withheld=entry.undecided)
            self._profiles.forget(project_id, entry.visitor_id)
        else:
            self._profiles.keep(project_id, entry.visitor_id, copy)

    def choose(self, copy: Copy, entry: Entry, asked: Asked, marks: list[int]) -> Choice | None:
        """Folds the batch into the profile, claims to know the visitor by it, and decides on what is new.

        ``entry`` says afterwards what is to be written of that. ``marks``: the ends of the stages are added.
        """
        try:
            batch = asked.batch
            folded = fold_in_place(copy.profile, batch.session, batch.events, entry.page_url)
            if not folded:
                # Of what came late the profile does not know yet: nothing is claimed, nor decided on half a visit.
                entry.before = None if folded is None else copy.version
                return None
            entry.before, entry.fresh = copy.version, folded
            copy.version += folded
            marks.append(time.perf_counter_ns())
            choice = self._decide(copy.profile, entry, asked, marks, None)
        except Exception:
            # A broken decision must never cost the shop its events.
            log.exception("decision_failed")
            entry.before = None
            return None
        if choice is not None:
            # Before the commit, so that a second request of this visitor that arrives meanwhile sees it.
            _claim(copy, entry, choice, asked, marks[0])
        return choice

    async def choose_again(self, stored: Entry, asked: Asked) -> Choice | None:
        """Decides once more, by the profile that is built from what is stored now, the batch among it: on more than
        was known, or on what ranks next where there was no room for what was chosen.

        The events are safe already: whatever goes wrong here, nothing is shown and nothing is said.
        """
        again = None if stored.decision is None or stored.no_room else stored.decision["id"]
        full: set[UUID] = set()
        last, choice = stored, None
        while True:
            if last.no_room and last.reservation is not None:
                full.add(last.reservation.entry_id)
            if len(full) >= MOST_FULL:
                return None
            last, choice = await self._once_more(stored, asked, again, full)
            if not last.no_room:
                return None if last.undecided else choice
            again = None

    async def _once_more(
        self, stored: Entry, asked: Asked, decision_id: UUID | None, without: Collection[UUID]
    ) -> tuple[Entry, Choice | None]:
        """What was recorded of it, and the choice; None where there is none, or it could not be made."""
        started = time.perf_counter_ns()
        project_id = stored.project_id
        entry = structs.replace(
            stored,
            events=(),
            rejected=(),
            decision=None,
            # Which of several came first is told by their times; lift counts the first.
            received_ms=stored.received_ms + len(without),
            before=None,
            fresh=0,
            stale=False,
            undecided=False,
            reservation=None,
            no_room=False,
        )
        try:
            _, copy = await self.prepare(project_id, stored.visitor_id)
        except WhyleftError:
            return entry, None
        if copy is None:
            return entry, None
        entry.before = copy.version
        try:
            choice = self._decide(copy.profile, stored, asked, [], decision_id, without)
            if choice is not None:
                _claim(copy, entry, choice, asked, started)
                await self._recorder.record(entry)
        except BaseException as error:
            self._profiles.forget(project_id, stored.visitor_id)
            if not isinstance(error, Exception):
                raise
            log.warning("decision_failed", error=type(error).__name__)
            return entry, None
        self.settle(project_id, entry, copy)
        return entry, choice

    def _decide(
        self,
        profile: Profile,
        entry: Entry,
        asked: Asked,
        marks: list[int],
        decision_id: UUID | None,
        without: Collection[UUID] = (),
    ) -> Choice | None:
        received_ms = entry.received_ms
        last = asked.batch.events[-1]
        # By the clock that it was told by, which may be minutes off.
        if received_ms - entry.behind_ms - last.t > FRESH_MS:
            return None
        plan = asked.plan
        intent = score(profile, received_ms, plan.intent)
        marks.append(time.perf_counter_ns())
        if marks[-1] - marks[0] > self._limits.deadline_ms * 1_000_000:
            # Late already, by a profile that had to be built: what is certain costs least.
            plan = replace(plan, learned=None)
        return decide(
            profile,
            intent,
            visitor_id=asked.batch.visitor,
            decision_id=decision_id,
            now_ms=received_ms,
            event_type=last.type,
            path=event_path(last.type, last.url or entry.page_url, last.props.get("path")),
            limits=self._limits,
            plan=plan,
            locale=asked.locale,
            without=without,
        )


def _claim(copy: Copy, entry: Entry, choice: Choice, asked: Asked, started: int) -> None:
    """Marks what is to be shown, says what has to be set aside for it, and has the decision written with the entry."""
    profile, shown = copy.profile, choice.shown
    if choice.action is not LiveAction.DO_NOTHING:
        profile.mark_served(choice.action, entry.received_ms, choice.stage)
        if shown is not None:
            if shown.kept and shown.entry_id is not None:
                mark_shown(profile, shown.entry_id)
            entry.reservation = reservation_of(
                shown,
                visitor_id=entry.visitor_id,
                decision_id=choice.id,
                device=asked.device,
                cart_minor=profile.cart_minor,
                code=choice.code,
                now_ms=entry.received_ms,
            )
    entry.decision = {
        "id": choice.id,
        "visitor_id": entry.visitor_id,
        "session_id": entry.session_id,
        "event_id": asked.batch.events[-1].id,
        "decided_at": entry.received_ms,
        **row_of(choice),
        "latency_us": (time.perf_counter_ns() - started) // 1_000,
        "given_minor": None if entry.reservation is None else entry.reservation.cost_minor,
    }
    copy.version += 1
