"""A flow from its events to its figures: the real engine, real mail and webhook servers, the links of the mails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from insights.settings import Settings
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api
from tests.channels import callers
from tests.channels.contract.far_side import Reply, line_to, provider
from tests.channels.servers import HookServer, MailServer, hook_server, mail_server
from tests.process import running

HOST = "http://whyleft.test"
WORDS = {"subject": "Your cart", "html": '<p><a href="{{ link }}">Your cart</a></p>', "text": "{{ link }}"}
MESSAGE = {"name": "come_back", "content": {"locales": {"en": WORDS}, "open_pixel": True}}
MAIL = {"do": "send", "action": "send_email", "params": {"message": "come_back"}}
FLOW = {
    "name": "story",
    "trigger": {"on": "event", "event": "custom", "name": "left"},
    "start": "told",
    "steps": {"told": {"do": "send", "action": "call_webhook", "next": "mail"}, "mail": MAIL},
    "settings": {"success": {"within": "P2D"}, "reentry": "PT0S"},
}


class Shop(Api):
    """The product over real servers. ``flow``: the published flow's id."""

    mails: MailServer
    hooks: HookServer
    flow: str

    async def asked(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.client.request(method, f"/v1/{path}", headers=self.headers, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def tell(self, visitor: str, session: str, *events: tuple[str, dict[str, Any]]) -> None:
        batch = self.batch(*(self.event(kind, props) for kind, props in events), visitor=visitor, session=session)
        answer = await self.send(batch)
        assert (answer.status_code, answer.json()["rejected"]) == (200, []), answer.text

    async def leaves(self, name: str) -> tuple[str, str]:
        """A visitor who may be written to leaves, and the engine does what follows; returns visitor and session."""
        visitor, session = str(uuid4()), str(uuid7())
        known = ("identified", {"email": f"{name}@example.org"})
        await self.tell(visitor, session, known, ("consent_changed", {"marketing": True}), ("custom", {"name": "left"}))
        await self.works()
        return visitor, session

    async def works(self) -> None:
        while await self.services.uptake.see_to_due() or await self.services.runner.run_due():
            pass

    async def buys(self, who: tuple[str, str], order: str, minor: int) -> None:
        await self.tell(*who, ("purchased", {"order_id": order, "value_minor": minor, "currency": "EUR"}))

    async def figures(self) -> Any:
        return await self.asked("GET", f"flows/{self.flow}/figures")

    async def follow(self, address: str) -> httpx.Response:
        """What a person's mail program does with an address of ours."""
        assert address.startswith(HOST)
        parts = urlsplit(address)
        return await self.client.get(f"{parts.path}?{parts.query}" if parts.query else parts.path)


@pytest.fixture
async def shop(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Shop]:
    async with mail_server() as mails, hook_server() as hooks:
        settings = Settings(
            data_dir=tmp_path,
            smtp_url=mails.url,
            webhook_url=hooks.url,
            webhook_secret="whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            webhook_allow_private=True,
            public_url=HOST,
            shop_url="https://shop.example",
        )
        async with running(settings, database_urls) as process:
            shop = Shop(process)
            shop.mails, shop.hooks = mails, hooks
            await shop.asked("PATCH", "shop", {"currency": "EUR", "margin_rate": 0.4})
            await shop.asked("POST", "messages", MESSAGE, 201)
            await shop.asked("POST", "messages/come_back/publish")
            shop.flow = (await shop.asked("POST", "flows", {"definition": FLOW}, 201))["id"]
            await shop.asked("POST", f"flows/{shop.flow}/publish")
            yield shop


def links_of(mail: EmailMessage) -> tuple[list[str], str, str]:
    """A mail's links that are counted, its invisible image, and its one-click unsubscribe."""
    html = mail.get_body(("html",))
    assert html is not None
    text = html.get_content().replace("&amp;", "&")
    counted = re.findall(rf"{HOST}/v1/l/[\w-]+", text)
    (image,) = re.findall(rf"{HOST}/v1/o/[\w-]+", text)
    return counted, image, str(mail["List-Unsubscribe"]).split(">")[0].strip("<> ")


async def test_what_people_do_with_its_messages_is_told_by_version_and_step(shop: Shop) -> None:
    # Ada opens it, clicks and buys; Ben opens it and unsubscribes with one click; Cleo does nothing.
    ada, *_ = [await shop.leaves(name) for name in ("ada", "ben", "cleo")]
    counted, image, _ = links_of(shop.mails.mails[0])
    assert (await shop.follow(image)).headers["content-type"] == "image/gif"
    led = await shop.follow(counted[0])
    assert (led.status_code, urlsplit(led.headers["location"]).netloc) == (302, "shop.example")
    await shop.buys(ada, "o-1", 10_000)
    _, image, unsubscribe = links_of(shop.mails.mails[1])
    await shop.follow(image)
    one_click = await shop.client.post(unsubscribe.removeprefix(HOST), data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 200
    await shop.works()
    found = await shop.figures()
    (version,) = found["versions"]
    mail, told = (version["steps"][name]["messages"] for name in ("mail", "told"))
    assert (version["version"], version["started"], version["ended"]) == (1, 3, {"finished": 3})
    assert [mail[name] for name in ("sent", "opened", "clicked", "unsubscribed")] == [3, 2, 1, 1]
    assert [told[name] for name in ("sent", "opened", "clicked", "unsubscribed")] == [3, 0, 0, 0]
    assert (mail["converted"], mail["orders"], mail["revenue_minor"]) == (1, 1, {"EUR": 10_000})
    assert (mail["margin_minor"], found["margin_currency"]) == (pytest.approx(4_000), "EUR")
    assert found["total"]["revenue_minor"] == {"EUR": 10_000}
    # Ben is written to no more, and the step says why.
    await shop.leaves("ben")
    assert len(shop.hooks.hooks) == 4
    step = (await shop.figures())["versions"][0]["steps"]["mail"]
    assert (step["skipped"], step["messages"]["sent"], len(shop.mails.mails)) == ({"suppressed": 1}, 3, 3)
    # What Ada gives back, which only the shop's server may say, is taken off again.
    back = shop.event("refunded", {"order_id": "o-1", "value_minor": 2_500, "currency": "EUR"})
    taken = await shop.asked("POST", "events", shop.batch(back, visitor=ada[0], session=ada[1]))
    assert taken["accepted"] == 1
    total = (await shop.figures())["total"]
    assert (total["revenue_minor"], total["margin_minor"]) == ({"EUR": 7_500}, pytest.approx(3_000))


async def test_an_order_counts_for_the_version_whose_window_it_falls_into(shop: Shop) -> None:
    early = await shop.leaves("dora")
    window = FLOW | {"settings": {"success": {"within": "PT1S"}, "reentry": "PT0S"}}
    etag = (await shop.client.get(f"/v1/flows/{shop.flow}", headers=shop.headers)).headers["etag"]
    headers = shop.headers | {"if-match": etag}
    put = await shop.client.put(f"/v1/flows/{shop.flow}", headers=headers, json={"definition": window})
    assert put.status_code == 200, put.text
    await shop.asked("POST", f"flows/{shop.flow}/publish")
    late = await shop.leaves("emil")
    await asyncio.sleep(1.2)
    await shop.buys(early, "o-2", 3_000)
    await shop.buys(late, "o-3", 5_000)
    found = await shop.figures()
    second, first = found["versions"]
    assert (second["version"], second["steps"]["mail"]["messages"]["sent"], second["messages"]["orders"]) == (2, 1, 0)
    assert (first["messages"]["orders"], first["messages"]["revenue_minor"]) == (1, {"EUR": 3_000})


async def test_a_message_of_which_nobody_knows_is_listed_until_it_is_settled(shop: Shop) -> None:
    shop.mails.answers["DATA"] = "drop after"
    await shop.leaves("fay")
    del shop.mails.answers["DATA"]
    figures = (await shop.figures())["versions"][0]["steps"]["mail"]["messages"]
    assert (figures["sent"], figures["unknown"], len(shop.mails.mails)) == (1, 1, 1)
    (listed,) = (await shop.asked("GET", "deliveries?status=unknown"))["deliveries"]
    await shop.asked("POST", f"deliveries/{listed['id']}/settle", {"arrived": True})
    figures = (await shop.figures())["versions"][0]["steps"]["mail"]["messages"]
    assert (figures["sent"], figures["unknown"]) == (1, 0)
    assert (await shop.asked("GET", "deliveries?status=unknown"))["deliveries"] == []


async def test_a_complaint_that_the_provider_reports_is_counted_and_ends_it(shop: Shop) -> None:
    async with provider() as far:
        shop.services.channels._line = line_to(far.port)  # the provider's own address leads to this machine
        far.replies = {"POST /email": Reply(200, {"ErrorCode": 0, "MessageID": "m-1"})}
        made = await shop.asked(
            "POST",
            "channels",
            {
                "kind": "postmark",
                "name": "post",
                "settings": {"sender": "mail@shop.example"},
                "credentials": {"api_key": "k" * 8, "callback_password": callers.PASSWORD},
            },
            201,
        )
        await shop.leaves("gus")
        assert [call.path for call in far.arrived] == ["/email"]
        report = {
            "RecordType": "SpamComplaint",
            "ID": 42,
            "MessageID": "m-1",
            "Email": "gus@example.org",
            "BouncedAt": "2026-11-21T12:00:00Z",
            "Metadata": far.arrived[0].json["Metadata"],
        }
        call = callers.postmark(report, datetime.now(UTC))
        heard = await shop.client.post(
            urlsplit(made["callback_url"]).path, content=call.raw, headers=dict(call.headers)
        )
        assert heard.status_code == 200, heard.text
        await shop.leaves("gus")
    step = (await shop.figures())["versions"][0]["steps"]["mail"]
    assert (step["messages"]["sent"], step["messages"]["complained"], step["skipped"]) == (1, 1, {"suppressed": 1})
