"""What subscribers get: over real SMTP and a real webhook receiver, each thing once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import select, update
from standardwebhooks.webhooks import Webhook

from adapters.channels.line import Line
from adapters.channels.smtp import SmtpChannel
from adapters.postgres.engine import Database
from flows.models import Suppression
from insights.channels.ways import ProjectChannels
from insights.errors import InUse, NotFound, Refused
from insights.models import Notice, Pattern, Session, Subscription
from insights.patterns.letters import Letters
from insights.patterns.notices import Messenger
from insights.patterns.subscribers import UNSUBSCRIBED, next_report, subscribe, unsubscribe
from insights.recovery.unsubscribe import verify
from insights.sealing import Sealer
from tests.patterns.conftest import SECRET, Lookers
from tests.patterns.shop import NOW, Weeks

SEALER = Sealer([SECRET])


class Inbox:
    """Takes every mail, or answers as told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
        return self.answer


@pytest.fixture
async def inbox() -> AsyncIterator[tuple[Inbox, int]]:
    handler = Inbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", 0)
    yield handler, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


class Receiver:
    """A webhook's address on loopback."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.append((headers, body))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield made
    server.close()
    await server.wait_closed()


def messenger(database: Database, port: int, at: Any = NOW) -> Messenger:
    mail = SmtpChannel(f"smtp://127.0.0.1:{port}", sender="Whyleft <no-reply@shop.example>")
    return Messenger(
        database,
        ProjectChannels({"email": mail}, SEALER, Line()),
        Letters(database, public_url="https://why.shop.example", signing_secret=SECRET),
        SEALER,
        lambda: at,
        allow_private=True,
    )


async def subscribed(database: Database, project_id: UUID, channel: Any, address: str, **more: Any) -> str | None:
    async with database.transaction(project_id) as tx:
        given = {"patterns": True, "report": None, "now": NOW} | more
        _, secret = await subscribe(tx, project_id, channel, address, sealer=SEALER, allow_private=True, **given)
        return secret


async def found_pattern(project_id: UUID, weeks: Weeks, database: Database, lookers: Lookers) -> None:
    weeks.page("/cart", rate=4, now=0.6, changed_hours=16, cart=2500).page("/", rate=4)
    await weeks.store(database)
    looked = await lookers().look(project_id)
    assert looked is not None and len(looked.found) == 1


async def notices(database: Database, project_id: UUID) -> list[tuple[str, str | None]]:
    async with database.transaction(project_id) as tx:
        rows = await tx.scalars(select(Notice).where(Notice.project_id == project_id))
        return [(row.status, row.error) for row in rows]


SOON = NOW + timedelta(seconds=30)


async def test_a_pattern_is_mailed_once_with_a_link_to_its_sessions(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, inbox: tuple[Inbox, int]
) -> None:
    await subscribed(database, project_id, "email", "owner@shop.example")
    await found_pattern(project_id, weeks, database, lookers)
    early = messenger(database, inbox[1])
    assert await early.send(project_id) == 0, "a model may still find better words"
    first, second = messenger(database, inbox[1], SOON), messenger(database, inbox[1], SOON)
    await asyncio.gather(first.send(project_id), second.send(project_id))
    await first.send(project_id)
    (mail,) = inbox[0].mails
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    assert mail["Subject"].startswith("Technical error up from") and mail["To"] == "owner@shop.example"
    async with database.transaction(project_id) as tx:
        row = await tx.scalar(select(Pattern).where(Pattern.project_id == project_id))
    assert row is not None
    for part in (text.get_content(), html.get_content()):
        assert f"https://why.shop.example/app/patterns/{row.id}" in part
    link = mail["List-Unsubscribe"].strip("<>")
    claim = verify(SECRET, link.partition("token=")[2])
    assert (claim.channel, claim.recipient) == (UNSUBSCRIBED, "owner@shop.example")
    assert await notices(database, project_id) == [("accepted", None)]


async def test_whoever_unsubscribed_by_the_link_gets_no_more(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, inbox: tuple[Inbox, int]
) -> None:
    await subscribed(database, project_id, "email", "owner@shop.example")
    async with database.transaction(project_id) as tx:
        tx.add(
            Suppression(
                project_id=project_id,
                channel=UNSUBSCRIBED,
                recipient="owner@shop.example",
                reason="unsubscribed",
                at=NOW,
            )
        )
    await found_pattern(project_id, weeks, database, lookers)
    await messenger(database, inbox[1], SOON).send(project_id)
    assert inbox[0].mails == []
    ((status, _),) = await notices(database, project_id)
    assert status == "rejected"


async def test_a_webhook_is_signed_and_sent_again_until_it_is_taken(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, inbox: tuple[Inbox, int], receiver: Receiver
) -> None:
    secret = await subscribed(database, project_id, "webhook", receiver.url)
    assert secret is not None
    await found_pattern(project_id, weeks, database, lookers)
    receiver.status = 503
    await messenger(database, inbox[1], SOON).send(project_id)
    receiver.status = 204
    assert await messenger(database, inbox[1], SOON).send(project_id) == 0, "not at once"
    await messenger(database, inbox[1], SOON + timedelta(minutes=3)).send(project_id)
    assert await messenger(database, inbox[1], SOON + timedelta(minutes=9)).send(project_id) == 0
    (headers, body), (again, _) = receiver.posts
    assert headers["webhook-id"] == again["webhook-id"]
    Webhook(secret).verify(body, headers)
    told = json.loads(body)
    assert told["type"] == "pattern.found" and told["pattern"]["reason"] == "technical_error"
    assert told["pattern"]["session_ids"]


async def test_a_mail_that_may_have_gone_out_is_not_sent_again(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, inbox: tuple[Inbox, int]
) -> None:
    await subscribed(database, project_id, "email", "owner@shop.example")
    await found_pattern(project_id, weeks, database, lookers)
    async with database.transaction(project_id) as tx:
        await tx.execute(update(Notice).where(Notice.project_id == project_id).values(status="sending"))
    await messenger(database, inbox[1], SOON).send(project_id)
    assert inbox[0].mails == []
    assert [status for status, _ in await notices(database, project_id)] == ["unknown"]


async def test_a_report_goes_out_each_morning_once(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, inbox: tuple[Inbox, int]
) -> None:
    await subscribed(database, project_id, "email", "owner@shop.example", patterns=False, report="daily")
    await weeks.page("/cart", rate=4, cart=2500, until_hours=-20).store(database)
    morning = next_report("daily", NOW)
    assert morning.hour == 7 and morning.date() == (NOW + timedelta(days=1)).date()
    for _ in range(2):
        sender = messenger(database, inbox[1], morning + timedelta(minutes=1))
        await sender.order_reports(project_id)
        await sender.send(project_id)
    (mail,) = inbox[0].mails
    assert mail["Subject"] == "Why they left: 21 Nov 2026"
    text = mail.get_body(("plain",))
    assert text is not None and "Distraction: 8" in text.get_content()
    async with database.transaction(project_id) as tx:
        row = await tx.scalar(select(Subscription).where(Subscription.project_id == project_id))
    assert row is not None and row.report_at == morning + timedelta(days=1)


async def test_a_report_counts_carts_whose_currency_nobody_told(
    database: Database, project_id: UUID, weeks: Weeks, inbox: tuple[Inbox, int], receiver: Receiver
) -> None:
    for channel, address in (("email", "owner@shop.example"), ("webhook", receiver.url)):
        await subscribed(database, project_id, channel, address, patterns=False, report="daily")
    weeks.page("/cart", rate=4, cart=2500, until_hours=-20)
    people = len(weeks.rows)
    # What bots did is in no mail: neither their visits nor what they left in carts.
    await weeks.page("/cart", rate=4, cart=900, until_hours=-20, bot=True).store(database)
    assert len(weeks.rows) > people
    async with database.transaction(project_id) as tx:
        await tx.execute(update(Session).where(Session.project_id == project_id).values(currency=None))
    sender = messenger(database, inbox[1], next_report("daily", NOW) + timedelta(minutes=1))
    await sender.order_reports(project_id)
    await sender.send(project_id)
    (mail,), ((_, posted),) = inbox[0].mails, receiver.posts
    told = json.loads(posted)
    carts = f"{25 * told['sessions']:,}.00"
    for kind in ("plain", "html"):
        text = mail.get_body((kind,))
        assert text is not None and carts in text.get_content()
        # A visit with two orders is one that bought: the preview called as many "orders" as there were visits.
        assert "0 with an order" in text.get_content()
    assert told["sessions"] > 50 and told["at_stake"] == {}


def test_a_weekly_report_goes_out_on_mondays() -> None:
    assert next_report("weekly", NOW).weekday() == 0
    monday = next_report("weekly", NOW)
    assert next_report("weekly", monday) == monday + timedelta(days=7)


async def test_what_cannot_be_subscribed_is_refused_by_name(database: Database, project_id: UUID) -> None:
    for channel, address, more in (
        ("email", "no address", {}),
        ("webhook", "ftp://shop.example", {}),
        ("email", "a@shop.example", {"patterns": False}),
    ):
        with pytest.raises(Refused):
            await subscribed(database, project_id, channel, address, **more)
    await subscribed(database, project_id, "email", "a@shop.example")
    with pytest.raises(InUse):
        await subscribed(database, project_id, "email", "a@shop.example")
    async with database.transaction(project_id) as tx:
        with pytest.raises(NotFound):
            await unsubscribe(tx, project_id, uuid4())
