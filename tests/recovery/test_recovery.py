"""From an insight to a mail and a ticket: the starter flows on the real engine, over real SMTP and a real file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from adapters.channels.smtp import SmtpChannel
from adapters.channels.ticket import TicketOutbox
from adapters.postgres.engine import Database
from flows.definition import FlowDefinition
from flows.runner import Runner
from flows.starting import start_runs
from flows.store import RunView, list_runs, publish
from flows.triggers import record_conversion, signal
from insights.conditions.fields import FIELDS
from insights.models import DiscountCode
from insights.recovery import codes, unsubscribe
from insights.recovery.audience import VisitorFacts
from insights.recovery.compose import MessageComposer
from insights.recovery.preferences import turn_off
from insights.recovery.starter import starter_flows
from insights.recovery.trigger import insight_trigger
from insights.segments.knowledge import VisitorKnowledge
from insights.timeline.assemble import assemble
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import ABANDONED_REASONS
from tests.channels.servers import MailServer, mail_server
from tests.recovery.sessions import MUG, START, session
from tests.recovery.visitors import visitor

SECRET = b"a secret of thirty-two characters"
FAILED = ("request_failed", {"method": "POST", "path": "/api/cart/7", "status": 500})
EVENTS = (("product_viewed", MUG), ("cart_added", MUG), FAILED, FAILED, FAILED)


@dataclass
class Shop:
    """A project with the starter flows, its runner on a clock that a test moves, and what arrived."""

    database: Database
    project_id: UUID
    mails: MailServer
    tickets: Path
    runner: Runner = field(init=False)
    now: datetime = START + timedelta(minutes=1)

    def __post_init__(self) -> None:
        self.runner = Runner(
            self.database,
            channels={
                "email": SmtpChannel(self.mails.url, sender="Shop <mail@shop.example>"),
                "ticket": TicketOutbox(self.tickets),
            },
            composer=MessageComposer(
                public_url="https://whyleft.example", shop_url="https://shop.example/", signing_secret=SECRET
            ),
            facts=VisitorFacts(),
            knowledge=VisitorKnowledge(),
            clock=lambda: self.now,
        )

    async def publish(self) -> None:
        async with self.database.transaction(self.project_id) as tx:
            for flow in starter_flows():
                await publish(tx, self.project_id, flow, self.now, [action.value for action in RecoveryAction], FIELDS)

    async def leave(self, visitor_id: UUID, reason: str, *events: tuple[str, dict[str, Any]]) -> str:
        """The visitor's session ends for this reason; returns the trigger's group."""
        shape = session(*(events or EVENTS))
        timeline = assemble(self.project_id, uuid4(), visitor_id, shape.events)
        trigger = insight_trigger(
            timeline, insight_id=uuid4(), kind="abandoned", reason=reason, confidence=0.9, narrative="They left."
        )
        async with self.database.transaction(self.project_id) as tx:
            await start_runs(tx, self.project_id, [trigger], self.now, VisitorKnowledge())
        return trigger.group

    async def later(self, hours: float) -> None:
        """Does what is due now, lets time pass, and does what is due then."""
        for pause in (0.0, hours):
            self.now += timedelta(hours=pause)
            while await self.runner.run_due():
                pass

    async def runs(self, group: str) -> dict[str, RunView]:
        async with self.database.transaction(self.project_id) as tx:
            return {run.flow: run for run in await list_runs(tx, self.project_id, session_group=group)}

    def ticket_titles(self) -> list[str]:
        if not self.tickets.exists():
            return []
        return [json.loads(line)["title"] for line in self.tickets.read_text().splitlines()]


@pytest.fixture
async def shop(database: Database, project_id: UUID, tmp_path: Path) -> AsyncIterator[Shop]:
    async with mail_server() as mails:
        shop = Shop(database, project_id, mails, tmp_path / "tickets.jsonl")
        await shop.publish()
        yield shop


async def test_each_reason_gets_its_own_answer_in_its_own_time(shop: Shop) -> None:
    people = {
        reason.value: await visitor(shop.database, shop.project_id, email=f"{reason.value}@example.com")
        for reason in ABANDONED_REASONS
    }
    groups = {reason: await shop.leave(person, reason) for reason, person in people.items()}
    arrived: dict[str, float] = {}
    for hours in (0.0, 0.5, 0.6, 2.0, 1.0, 17.0):
        await shop.later(hours)
        for recipient in shop.mails.recipients:
            arrived.setdefault(recipient.partition("@")[0], (shop.now - START).total_seconds() / 3600)
    assert {name: round(hours) for name, hours in arrived.items()} == {
        "price_hesitation": 1,
        "ux_friction": 1,
        "trust_concern": 3,
        "distraction": 4,
        "comparison_shopping": 21,
    }
    assert len(shop.mails.recipients) == 5
    assert shop.ticket_titles() == ["POST /api/cart/:id answers 500"]
    (unclear,) = (await shop.runs(groups["unclear"])).values()
    assert (unclear.status, unclear.end_reason, unclear.deliveries) == ("done", "do_nothing", [])


async def test_the_mail_that_arrives_is_the_one_that_was_written(shop: Shop) -> None:
    await shop.leave(await visitor(shop.database, shop.project_id), "price_hesitation")
    await shop.later(1.1)
    (mail,) = shop.mails.mails
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Morning mug" in text.get_content()
    assert "10% off" in html.get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = str(mail["List-Unsubscribe"]).strip("<>").partition("token=")[2]
    assert unsubscribe.verify(SECRET, token).recipient == "anna@example.com"


async def test_an_error_that_many_meet_is_one_ticket_and_its_end_is_told_to_each(shop: Shop) -> None:
    groups = [
        await shop.leave(
            await visitor(shop.database, shop.project_id, email=f"visitor-{number}@example.com"), "technical_error"
        )
        for number in range(3)
    ]
    await shop.later(0)
    assert shop.ticket_titles() == ["POST /api/cart/:id answers 500"]
    assert shop.mails.recipients == []
    fingerprint = json.loads(shop.tickets.read_text())["fingerprint"]
    await shop.later(50)
    async with shop.database.transaction(shop.project_id) as tx:
        assert await signal(tx, shop.project_id, "ticket_fixed", fingerprint, shop.now) == 3
    await shop.later(0)
    assert sorted(shop.mails.recipients) == [f"visitor-{number}@example.com" for number in range(3)]
    assert "works again" in str(shop.mails.mails[0]["Subject"])
    statuses = [(await shop.runs(group))["technical_error_fixed"].status for group in groups]
    assert statuses == ["done"] * 3


async def test_nobody_hears_of_an_error_that_was_not_fixed_in_two_weeks(shop: Shop) -> None:
    group = await shop.leave(await visitor(shop.database, shop.project_id), "technical_error")
    await shop.later(24 * 14 + 1)
    run = (await shop.runs(group))["technical_error_fixed"]
    assert (run.status, run.end_reason) == ("done", "not_fixed_in_time")
    assert shop.mails.recipients == []


async def test_who_waits_for_one_fix_still_reports_the_next_error(shop: Shop) -> None:
    person = await visitor(shop.database, shop.project_id)
    await shop.leave(person, "technical_error")
    await shop.later(1)
    other = ("request_failed", {"method": "POST", "path": "/api/checkout", "status": 503})
    await shop.leave(person, "technical_error", other)
    await shop.later(0)
    assert len(shop.ticket_titles()) == 2


async def test_a_purchase_ends_the_mail_and_leaves_the_ticket(shop: Shop) -> None:
    person = await visitor(shop.database, shop.project_id)
    priced = await shop.leave(person, "price_hesitation")
    broken = await shop.leave(person, "technical_error")
    async with shop.database.transaction(shop.project_id) as tx:
        cancelled = await record_conversion(
            tx,
            shop.project_id,
            person,
            key="order-1",
            occurred_at=START + timedelta(minutes=5),
            value_minor=1450,
            currency="EUR",
            now=shop.now,
        )
    assert cancelled == 2
    await shop.later(2)
    assert shop.mails.recipients == []
    assert len(shop.ticket_titles()) == 1
    assert (await shop.runs(priced))["price_hesitation"].status == "cancelled"
    assert (await shop.runs(broken))["technical_error"].status == "done"


async def test_who_unsubscribed_gets_nothing_more_and_the_run_says_why(shop: Shop) -> None:
    person = await visitor(shop.database, shop.project_id)
    await shop.leave(person, "ux_friction")
    await shop.later(1.1)
    token = str(shop.mails.mails[0]["List-Unsubscribe"]).strip("<>").partition("token=")[2]
    claim = unsubscribe.verify(SECRET, token)
    async with shop.database.transaction(claim.project_id) as tx:
        await turn_off(tx, claim, claim.channel, claim.recipient, datetime.now(UTC))
    group = await shop.leave(person, "price_hesitation")
    await shop.later(1.1)
    assert len(shop.mails.recipients) == 1
    history = (await shop.runs(group))["price_hesitation"].history
    assert any(line.what == "skipped" and line.detail.startswith("suppressed") for line in history)


async def test_a_mailbox_that_does_not_exist_is_not_written_to_again(shop: Shop) -> None:
    shop.mails.answers["RCPT"] = "550 5.1.1 no such user"
    person = await visitor(shop.database, shop.project_id)
    first = await shop.leave(person, "ux_friction")
    await shop.later(1.1)
    shop.mails.answers.clear()
    second = await shop.leave(person, "price_hesitation")
    await shop.later(1.1)
    assert [delivery.status for delivery in (await shop.runs(first))["ux_friction"].deliveries] == ["suppressed"]
    assert (await shop.runs(second))["price_hesitation"].deliveries == []
    assert shop.mails.mails == []


async def test_a_reminder_needs_a_filled_cart(shop: Shop) -> None:
    group = await shop.leave(await visitor(shop.database, shop.project_id), "distraction", ("product_viewed", MUG))
    await shop.later(5)
    run = (await shop.runs(group))["distraction"]
    assert (run.status, run.end_reason) == ("done", "nothing_in_cart")


async def test_a_mail_that_is_half_a_day_late_stays_at_home(shop: Shop) -> None:
    group = await shop.leave(await visitor(shop.database, shop.project_id), "price_hesitation")
    await shop.later(1 + 13)
    history = (await shop.runs(group))["price_hesitation"].history
    assert any(line.what == "skipped" and line.detail.startswith("too_late") for line in history)
    assert shop.mails.recipients == []


LOOP: dict[str, Any] = {
    "name": "every_other_day",
    "trigger": {"on": "insight", "reasons": ["distraction"]},
    "start": "again",
    "steps": {
        "again": {
            "do": "send",
            "action": "send_email",
            "params": {"message": "discount_24h", "discount_percent": 10, "discount_hours": 24},
            "next": "pause",
        },
        "pause": {"do": "wait", "for": "P2D", "next": "again"},
    },
}


async def test_a_step_that_a_loop_comes_back_to_gives_a_code_that_is_still_good(shop: Shop) -> None:
    await _promise(shop)
    shop.mails.answers["DATA"] = "451 come back later"
    await shop.leave(await visitor(shop.database, shop.project_id), "distraction")
    await shop.later(0)
    shop.mails.answers.clear()
    await shop.later(1)
    for _ in range(2):
        await shop.later(48)
    # Tried twice, it is one code; sent three times, these are three.
    issued = await _issued(shop)
    told = [str(mail.get_body(("plain",))) for mail in shop.mails.mails if "10% off" in str(mail["subject"])]
    assert [[code.code in text for code in issued] for text in told] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    async with shop.database.transaction(shop.project_id) as tx:
        assert await codes.redeem(tx, shop.project_id, issued[-1].code, shop.now + timedelta(hours=23)) == 10


async def test_a_mail_whose_code_is_good_no_more_is_not_sent_when_its_provider_is_back(shop: Shop) -> None:
    await _promise(shop)
    shop.mails.answers["DATA"] = "451 come back later"
    await shop.leave(await visitor(shop.database, shop.project_id), "distraction")
    await shop.later(0)
    shop.mails.answers.clear()
    (code,) = await _issued(shop)
    shop.now = code.expires_at
    await shop.later(0)
    assert [mail for mail in shop.mails.mails if "10% off" in str(mail["subject"])] == []
    async with shop.database.transaction(shop.project_id) as tx:
        (run,) = [run for run in await list_runs(tx, shop.project_id) if run.flow == LOOP["name"]]
    assert [line.detail.partition(":")[0] for line in run.history if line.what == "skipped"] == ["too_late"]
    assert [delivery.status for delivery in run.deliveries] == ["rejected"]


async def _promise(shop: Shop) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        await publish(tx, shop.project_id, FlowDefinition.model_validate(LOOP), shop.now, ["send_email"], FIELDS)


async def _issued(shop: Shop) -> list[DiscountCode]:
    async with shop.database.transaction(shop.project_id) as tx:
        return list(await tx.scalars(select(DiscountCode).order_by(DiscountCode.issued_at)))
