"""What every channel promises, held against each of them on a real server or a real file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.channels.contract import (
    Accepted,
    Channel,
    NotFound,
    Rejected,
    Retry,
    SendIntent,
    Suppress,
    Unknown,
    Unsupported,
)
from adapters.channels.recording import RecordingChannel
from adapters.channels.smtp import SmtpChannel
from adapters.channels.ticket import TicketOutbox
from adapters.channels.webhook import WebhookChannel
from tests.channels.hostile import HOSTILE
from tests.channels.servers import hook_server, mail_server

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"
RESULTS = (Accepted, Retry, Rejected, Suppress, Unknown)


@dataclass
class Bench:
    """A channel, what it takes, what it cannot take, what arrived on the other side, and one whose far side is dead."""

    channel: Channel
    recipient: str | None
    content: dict[str, Any]
    impossible: dict[str, Any]
    arrived: Callable[[], list[str]]
    dead: Channel

    def intent(self, key: str = "run-1:step", **changes: Any) -> SendIntent:
        return SendIntent(key, self.recipient, self.content | changes)


MAIL = {"subject": "Your cart", "text": "It waits.", "html": "<p>It waits.</p>"}


@pytest.fixture(params=["smtp", "webhook", "ticket", "recording none", "recording key", "recording lookup"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    kind: str = request.param
    async with AsyncExitStack() as stack:
        if kind == "smtp":
            mails = await stack.enter_async_context(mail_server())
            sender = "Shop <mail@shop.example>"
            yield Bench(
                SmtpChannel(mails.url, sender=sender, timeout=5),
                "anna@example.com",
                MAIL,
                {"subject": None},
                lambda: [str(mail["Message-ID"]) for mail in mails.mails],
                SmtpChannel("smtp://127.0.0.1:1", sender=sender, timeout=5),
            )
        elif kind == "webhook":
            hooks = await stack.enter_async_context(hook_server())
            yield Bench(
                WebhookChannel(hooks.url, secret=SECRET, allow_private=True, timeout=5),
                None,
                {"type": "run.step", "data": {"name": "Tüte"}},
                {"data": object()},
                lambda: [hook.headers["webhook-id"] for hook in hooks.hooks],
                WebhookChannel("http://127.0.0.1:1/", secret=SECRET, allow_private=True, timeout=5),
            )
        elif kind == "ticket":
            path = tmp_path / "out" / "tickets.jsonl"
            (tmp_path / "file").touch()
            yield Bench(
                TicketOutbox(path),
                None,
                {"title": "POST /api/cart fails"},
                {"data": object()},
                lambda: [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else [],
                TicketOutbox(tmp_path / "file" / "tickets.jsonl"),
            )
        else:
            idempotency: Any = kind.split()[1]
            ttl = timedelta(hours=1) if idempotency == "key" else None
            recording = RecordingChannel(idempotency=idempotency, key_ttl=ttl)
            broken = RecordingChannel(idempotency=idempotency, key_ttl=ttl, results=[Retry("down")])
            yield Bench(
                recording,
                "anna@example.com",
                MAIL,
                {"refuse": True},
                lambda: [intent.key for intent in recording.delivered],
                broken,
            )


async def test_an_accepted_message_has_arrived_once(bench: Bench) -> None:
    assert isinstance(await bench.channel.send(bench.intent()), Accepted)
    assert len(bench.arrived()) == 1


async def test_a_repeat_does_what_the_channel_says_it_does(bench: Bench) -> None:
    first, second = [await bench.channel.send(bench.intent()) for _ in range(2)]
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    arrived = bench.arrived()
    # By key the receiver drops the copy: it must be able to recognise it. The same holds for a mail's Message-ID.
    assert len(set(arrived)) == 1
    if bench.channel.idempotency in ("lookup", "natural"):
        assert len(arrived) == 1


async def test_two_keys_are_two_messages(bench: Bench) -> None:
    results = await asyncio.gather(*(bench.channel.send(bench.intent(f"run-{number}:step")) for number in range(8)))
    assert all(isinstance(result, Accepted) for result in results)
    assert len(set(bench.arrived())) == len(bench.arrived()) == 8


async def test_lookup_answers_only_where_the_provider_can_be_asked(bench: Bench) -> None:
    await bench.channel.send(bench.intent())
    known, unknown = await bench.channel.lookup("run-1:step"), await bench.channel.lookup("never sent")
    if bench.channel.idempotency == "lookup":
        assert isinstance(known, Accepted)
        assert isinstance(unknown, NotFound)
    else:
        assert isinstance(known, Unsupported)
        assert isinstance(unknown, Unsupported)


async def test_a_time_to_live_belongs_to_keys_alone(bench: Bench) -> None:
    assert (bench.channel.key_ttl is not None) == (bench.channel.idempotency == "key")
    assert bench.channel.name


async def test_what_cannot_be_sent_is_rejected_with_a_sentence_and_never_arrives(bench: Bench) -> None:
    if isinstance(bench.channel, RecordingChannel):
        bench.channel.results.append(Rejected("It was told to refuse this."))
    result = await bench.channel.send(bench.intent(**bench.impossible))
    assert isinstance(result, Rejected)
    assert result.why.endswith(".")
    assert bench.arrived() == []


async def test_a_dead_provider_is_tried_again_later_and_raises_nothing(bench: Bench) -> None:
    assert isinstance(await bench.dead.send(bench.intent()), Retry)
    assert bench.arrived() == []


FIELDS = ("subject", "text", "html", "from", "reply_to", "unsubscribe_url", "key", "created_at", "title")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(min_size=1, max_size=40),
    recipient=st.one_of(st.none(), st.text(max_size=40), st.emails()),
    content=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, HOSTILE)),
)
async def test_whatever_it_is_handed_a_channel_answers_and_never_raises(
    bench: Bench, key: str, recipient: str | None, content: dict[str, Any]
) -> None:
    result = await bench.channel.send(SendIntent(key, recipient, content))
    assert isinstance(result, RESULTS)
