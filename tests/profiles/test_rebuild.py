from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from adapters.postgres.engine import Database
from insights.decisions.decide import Limits, decide
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.events.wire import WireEvent
from insights.intents.score import score
from insights.models import Session
from insights.profiles.fold import fold
from insights.profiles.profile import Profile
from insights.profiles.rebuild import rebuild
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import uuid7
from tests.profiles.visit import START

LIMITS = Limits(actions_per_session=3, gap_ms=20_000)
SHOP = "https://shop.example"


@pytest.fixture(scope="module")
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, times=SessionTimes(), max_queued=10_000)
    recorder.start()
    yield recorder
    await recorder.stop()


class LiveVisitor:
    """A visitor of a process that folds, decides and stores each batch as the events endpoint does."""

    def __init__(self, project_id: UUID, recorder: Recorder, at_ms: int = START) -> None:
        self.project_id = project_id
        self.id = uuid4()
        self.recorder = recorder
        self.at_ms = at_ms
        self.session = uuid7(at_ms)
        self.profile = Profile()
        self.chosen: list[LiveAction] = []
        self.seq = 0

    def come_back(self) -> None:
        self.at_ms += 86_400_000
        self.session = uuid7(self.at_ms)

    async def send(self, path: str, query: str, *events: tuple[str, dict[str, Any]]) -> None:
        """One batch from one page."""
        url = f"{SHOP}{path}{query}"
        batch = []
        for kind, props in events:
            self.at_ms += 4_000
            self.seq += 1
            if kind == "page_viewed":
                props = {"url": url, "path": path, **props}
            batch.append(WireEvent(id=uuid7(self.at_ms), t=self.at_ms, type=kind, seq=self.seq, props=props))
        # The server's clock is not the browser's.
        received_ms = self.at_ms + 3_000
        entry = Entry(self.project_id, self.id, self.session, "tab", url, received_ms, batch)
        for event in batch:
            fold(
                self.profile,
                event_id=event.id,
                session_id=self.session,
                at_ms=int(event.t),
                type=event.type,
                path=path,
                props=event.props,
            )
        choice = decide(
            self.profile,
            score(self.profile, received_ms),
            visitor_id=self.id,
            decision_id=uuid7(),
            now_ms=received_ms,
            event_type=batch[-1].type,
            path=path,
            limits=LIMITS,
        )
        if choice is not None:
            self.chosen.append(choice.action)
            entry.decision = {
                "id": uuid7(received_ms),
                "visitor_id": self.id,
                "session_id": self.session,
                "event_id": batch[-1].id,
                "decided_at": received_ms,
                "policy": choice.policy,
                "stage": choice.stage.value,
                "intent": choice.intent.as_dict(),
                "probabilities": choice.probabilities,
                "excluded": choice.excluded,
                "action": choice.action.value,
                "why": choice.why,
                "latency_us": 1,
            }
            if choice.action is not LiveAction.DO_NOTHING:
                self.profile.mark_served(choice.action, received_ms)
        await self.recorder.record(entry)

    async def browse(self, chance: random.Random) -> None:
        """A few pages of a visit, drawn by ``chance``."""
        category = chance.choice(["beans", "brewers", "cups"])
        product = f"{category}-{chance.randrange(4)}"
        goods = {"product_id": product, "category": category, "price_minor": chance.randrange(900, 3000)}
        await self.send("/", f"?category={category}", ("page_viewed", {}), ("scrolled", {"depth": chance.random()}))
        await self.send(
            f"/product/{product}",
            "",
            ("page_viewed", {}),
            ("product_viewed", {**goods, "currency": "EUR"}),
            ("engaged", {"ms": chance.randrange(9000)}),
        )
        step = chance.randrange(7)
        if step == 0:
            await self.send(f"/product/{product}", "", ("cart_added", {**goods, "quantity": 1, "currency": "EUR"}))
        elif step == 1:
            await self.send("/cart", "", ("page_viewed", {}), ("coupon_tried", {"accepted": False}))
        elif step == 2:
            await self.send("/cart", "", ("page_viewed", {}), ("exit_intent", {"kind": "pointer"}))
        elif step == 3:
            failed = ("request_failed", {"method": "POST", "path": "/api/cart", "status": 500})
            await self.send(f"/product/{product}", "", failed, failed)
        elif step == 4:
            await self.send("/returns", "", ("page_viewed", {}), ("engaged", {"ms": 6000}))
            await self.send("/", "", ("page_viewed", {}))
        elif step == 5 and self.profile.served:
            action = next(action for action in LiveAction if self.profile.was_served(action))
            about = {"decision_id": str(uuid4()), "action": action.value}
            await self.send("/", "", ("action_shown", about), ("action_dismissed", about))
        elif step == 6 and chance.random() < 0.3:
            said = ("identified", {"email": "ada@example.org"}), ("consent_changed", {"marketing": True})
            await self.send("/checkout", "", ("checkout_started", {"items": 2}), *said)


async def rebuilt(database: Database, visitor: LiveVisitor, **kwargs: Any) -> Profile:
    async with database.transaction(visitor.project_id) as tx:
        return await rebuild(tx, visitor.project_id, visitor.id, **kwargs)


@pytest.mark.parametrize("seed", range(8))
async def test_a_rebuilt_profile_equals_the_live_one(
    database: Database, project_id: UUID, recorder: Recorder, seed: int
) -> None:
    chance = random.Random(seed)
    visitor = LiveVisitor(project_id, recorder)
    for _ in range(4):
        for _ in range(chance.randrange(2, 8)):
            await visitor.browse(chance)
        assert msgspec.structs.asdict(await rebuilt(database, visitor)) == msgspec.structs.asdict(visitor.profile)
        visitor.come_back()
    assert visitor.profile.sessions == 4
    assert visitor.chosen, "the story is too dull to prove anything: no decision was made in it"


async def test_what_was_served_and_what_was_not_survives_a_restart(
    database: Database, project_id: UUID, recorder: Recorder
) -> None:
    visitor = LiveVisitor(project_id, recorder)
    goods = {"product_id": "moka", "category": "brewers", "quantity": 1, "cart_value_minor": 2900, "currency": "EUR"}
    await visitor.send("/product/moka", "", ("page_viewed", {}), ("cart_added", goods))
    await visitor.send("/cart", "", ("page_viewed", {}), ("exit_intent", {}))
    assert visitor.chosen == [LiveAction.CART_SAVE]
    profile = await rebuilt(database, visitor)
    assert profile.was_served(LiveAction.CART_SAVE)
    assert profile == visitor.profile
    again = decide(
        profile,
        score(profile, visitor.at_ms),
        visitor_id=visitor.id,
        decision_id=uuid7(),
        now_ms=visitor.at_ms + 10**6,
        event_type="exit_intent",
        path="/cart",
        limits=LIMITS,
    )
    assert again is None


async def test_sessions_past_the_limit_still_count_as_visits_and_orders(
    database: Database, project_id: UUID, recorder: Recorder
) -> None:
    visitor = LiveVisitor(project_id, recorder)
    await visitor.send("/thank-you", "", ("page_viewed", {}), ("purchased", {"order_id": "1"}))
    async with database.transaction(project_id) as tx:
        # As closing the session leaves it.
        session = await tx.get_one(Session, (project_id, visitor.session))
        session.purchased = True
    for _ in range(3):
        visitor.come_back()
        await visitor.send("/", "", ("page_viewed", {}))
    profile = await rebuilt(database, visitor, limit_sessions=2)
    assert (profile.sessions, profile.purchases, profile.pages) == (4, 1, 1)


async def test_an_address_said_before_what_was_read_is_still_known(
    database: Database, project_id: UUID, recorder: Recorder
) -> None:
    visitor = LiveVisitor(project_id, recorder)
    said = ("identified", {"email": "ada@example.org"}), ("consent_changed", {"marketing": False, "analytics": True})
    await visitor.send("/", "", *said)
    visitor.come_back()
    await visitor.send("/", "", ("page_viewed", {}))
    profile = await rebuilt(database, visitor, limit_sessions=1)
    assert (profile.has_email, profile.marketing, profile.analytics) == (True, False, True)


async def test_events_are_folded_in_the_order_they_happened_whatever_their_ids_and_arrival(
    database: Database, project_id: UUID, recorder: Recorder
) -> None:
    visitor = uuid4()
    session = uuid7(START)
    happened = [
        ("cart_removed", START + 60_000, uuid7(START), {"product_id": "moka", "cart_value_minor": 0}),
        ("cart_added", START + 30_000, uuid7(START + 90_000), {"product_id": "moka", "cart_value_minor": 2900}),
    ]
    for kind, at_ms, event_id, props in happened:
        event = WireEvent(id=event_id, t=at_ms, type=kind, props=props)
        await recorder.record(Entry(project_id, visitor, session, "tab", SHOP, at_ms, [event]))
    async with database.transaction(project_id) as tx:
        profile = await rebuild(tx, project_id, visitor)
    assert (profile.cart_adds, profile.cart_removes, profile.cart_items) == (1, 1, 0)


async def test_a_stranger_has_an_empty_profile(database: Database, project_id: UUID) -> None:
    async with database.transaction(project_id) as tx:
        assert await rebuild(tx, project_id, uuid4()) == Profile()


async def test_another_projects_visitor_is_a_stranger_here(
    database: Database, project_id: UUID, recorder: Recorder
) -> None:
    visitor = LiveVisitor(project_id, recorder)
    await visitor.send("/", "", ("page_viewed", {}))
    elsewhere = uuid4()
    async with database.transaction(elsewhere) as tx:
        assert await rebuild(tx, elsewhere, visitor.id) == Profile()
