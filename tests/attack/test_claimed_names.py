"""Whoever has the public key claims to be a customer, in every dialect: what they are believed once a project asks for
signatures, and what they were before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from sqlalchemy import select, text

from insights.access.keys import tell_processes
from insights.identity.proof import Proof, sign
from insights.identity.together import person_of
from insights.models import Event, IdentityClaim, IdentityLink, RejectedEvent, Visitor
from tests.access.listening import until_listening
from tests.api.conftest import Api
from tests.api.conftest import api as heedless
from tests.dialects.test_orders_of_servers import rows

__all__ = ["heedless"]

ADA = {"user_id": "ada-1", "email": "ada@shop.example", "phone": "+49171123456"}
Claim = Callable[[Api, str, dict[str, str]], Awaitable[dict[str, Any]]]
"""Says with the public key that a device is Ada's, with the signatures that are given; returns the answer."""


@pytest.fixture
async def api(heedless: Api) -> Api:
    """A process that hears of what a project asks."""
    heedless.services.keys.start()
    await until_listening(heedless.services.database, 1)
    return heedless


async def asks(api: Api, mode: str) -> str:
    """A new identity secret, and the project asks for what is signed with it."""
    made = await api.client.post("/v1/identity/secrets", headers=api.headers, json={})
    assert made.status_code == 201, made.text
    changed = await api.client.patch("/v1/identity", headers=api.headers, json={"mode": mode})
    assert changed.json()["mode"] == mode
    await heard(api, lambda proof: proof.mode == mode)
    secret: str = made.json()["secret"]
    return secret


async def heard(api: Api, so: Callable[[Proof], bool]) -> None:
    """Returns once this process knows of the last change: soon after its commit."""
    async with asyncio.timeout(8):
        while not so((await api.services.recorder.kept(api.project_id)).proof):  # noqa: ASYNC110  (nobody says so)
            await asyncio.sleep(0.01)


def signed(secret: str, **said: str) -> dict[str, str]:
    return {kind: sign(secret.encode(), kind, name) for kind, name in said.items()}


async def native(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    props: dict[str, Any] = dict(ADA) | ({"signatures": signatures} if signatures else {})
    answer = await api.send(api.batch(api.event("identified", props), visitor=device))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 1
    return {"unverified": answer.json().get("unverified")}


async def _posted(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.client.post(path, params={"key": api.write}, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json().get("rejected") is None
    return {"unverified": answer.json().get("unverified")}


async def segment_identify(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    traits = {"email": ADA["email"], "phone": ADA["phone"]}
    told = {"anonymousId": device, "userId": ADA["user_id"], "traits": traits}
    return await _posted(api, "/v1/identify", told | {"context": {"signatures": signatures}})


async def segment_alias(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    told = {"previousId": device, "userId": ADA["user_id"], "context": {"signatures": signatures}}
    return await _posted(api, "/v1/alias", told)


async def segment_track(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    told = {
        "anonymousId": device,
        "userId": ADA["user_id"],
        "event": "Product Viewed",
        "properties": {"product_id": "1"},
    }
    return await _posted(
        api, "/v1/batch", {"batch": [{"type": "track", **told}], "context": {"signatures": signatures}}
    )


async def ga4(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    told = {"client_id": device, "user_id": ADA["user_id"], "signatures": signatures}
    return await _posted(
        api, "/v1/ga4", told | {"events": [{"name": "view_item", "params": {"items": [{"item_id": "1"}]}}]}
    )


async def pushed(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    said = {"client_id": device, "user_id": ADA["user_id"], "signatures": signatures}
    return await _posted(api, "/v1/ga4", {"event": "newsletter_opened", **said})


async def shopify_pixel(api: Api, device: str, signatures: dict[str, str]) -> dict[str, Any]:
    checkout = {
        "email": ADA["email"],
        "phone": ADA["phone"],
        "order": {"id": str(uuid4()), "customer": {"id": ADA["user_id"]}},
    }
    checkout |= {"totalPrice": {"amount": 5, "currencyCode": "EUR"}, "lineItems": []}
    event = {"name": "checkout_completed", "id": str(uuid4()), "clientId": device, "data": {"checkout": checkout}}
    return await _posted(api, "/v1/shopify/pixel", {"events": [event], "signatures": signatures})


WAYS: list[Claim] = [native, segment_identify, segment_alias, segment_track, ga4, pushed, shopify_pixel]


async def names(api: Api) -> set[str]:
    """What anybody goes by, in links and on visitors' rows."""
    links = {link.name for link in await rows(api, IdentityLink)}
    visitors = await rows(api, Visitor)
    return links | {name for one in visitors for name in (one.user_id, one.email, one.phone) if name}


@pytest.mark.parametrize("claim", WAYS)
async def test_who_is_not_signed_is_somebody_else_and_what_they_did_is_kept(api: Api, claim: Claim) -> None:
    assert (await claim(api, str(uuid4()), {}))["unverified"] is None
    assert await names(api) & set(ADA.values())  # as it is where nobody asks
    secret = await asks(api, "required")
    before = await names(api), len(await rows(api, IdentityLink)), len(await rows(api, Event))
    device = str(uuid4())
    forged = signed(secret + "x", **ADA)
    for number, signatures in enumerate(({}, forged, {"user_id": "", "email": "0" * 64})):
        [doubt] = (await claim(api, device.replace(device[0], str(number), 1), signatures))["unverified"]
        assert "was not believed" in doubt["error"]
    assert (await names(api), len(await rows(api, IdentityLink))) == before[:2]
    assert len(await rows(api, Event)) > before[2]
    identified = [
        event.props for event in await rows(api, Event) if event.type == "identified" and "proof" in event.props
    ]
    assert len(identified) == 3
    assert not any(name in props for props in identified for name in ADA)


@pytest.mark.parametrize("claim", WAYS)
async def test_who_is_signed_is_believed(api: Api, claim: Claim) -> None:
    secret = await asks(api, "required")
    assert (await claim(api, str(uuid4()), signed(secret, **ADA)))["unverified"] is None
    assert ADA["user_id"] in await names(api)
    told = [event.props for event in await rows(api, Event) if event.type == "identified"]
    assert all(set(props["proof"].values()) == {"signed"} for props in told)
    assert "signatures" not in str([event.props for event in await rows(api, Event)])


async def test_a_customer_with_a_signature_of_their_own_takes_nobody_elses_address(api: Api) -> None:
    secret = await asks(api, "required")
    real, other = str(uuid4()), str(uuid4())
    await native(api, real, signed(secret, **ADA))
    props = {"user_id": "mallory", "email": ADA["email"], "signatures": signed(secret, user_id="mallory")}
    answer = await api.send(api.batch(api.event("identified", props), visitor=other))
    [doubt] = answer.json()["unverified"]
    assert doubt["error"].startswith("email: ")
    async with api.services.database.transaction(api.project_id) as tx:
        assert await person_of(tx, api.project_id, UUID(other)) == (UUID(other),)
        row = await tx.get(Visitor, (api.project_id, UUID(other)))
        assert row is not None
        assert (row.user_id, row.email) == ("mallory", None)


async def test_a_name_alone_is_not_the_visitor_whom_the_shops_server_tells_of(api: Api) -> None:
    await asks(api, "required")
    told = {"userId": ADA["user_id"], "event": "Product Viewed", "properties": {"product_id": "1"}}
    server = await api.client.post("/v1/track", auth=(api.secret, ""), json=told)
    assert server.json() == {"success": True}
    [theirs] = {event.visitor_id for event in await rows(api, Event)}
    claims = [told, told | {"anonymousId": str(theirs)}, told | {"anonymousId": f"{{{theirs}}}".upper()}]
    for claim in claims:
        await _posted(api, "/v1/track", claim)
    opened = {"name": "page_viewed", "clientId": "c", "data": {}}
    await _posted(api, "/v1/shopify/pixel", {"events": [opened], "visitor": str(theirs)})
    answer = await api.send(api.batch(api.event("consent_changed", {"marketing": True}), visitor=str(theirs)))
    assert (answer.status_code, answer.json()["field"]) == (400, "visitor")
    # All of it is kept, and one of four is the server's.
    assert [event.visitor_id for event in await rows(api, Event) if event.type == "product_viewed"].count(theirs) == 1
    assert sum(event.visitor_id == theirs for event in await rows(api, Event)) == 2  # and that it goes by its name


async def test_servers_sign_nothing(api: Api) -> None:
    await asks(api, "required")
    device = str(uuid4())
    batch = api.batch(api.event("identified", dict(ADA)), visitor=device)
    answer = await api.client.post("/v1/events", headers=api.headers, json=batch)
    assert answer.json().get("unverified") is None
    for path in ("/v1/identify", "/v1/ga4"):
        body = (
            {"userId": "bob"} if path == "/v1/identify" else {"client_id": "c", "user_id": "bob", "event": "view_item"}
        )
        answer = await api.client.post(path, params={"key": api.secret}, json=body)
        assert answer.json() == {"success": True}
    assert {*ADA.values(), "bob"} <= await names(api)


async def test_an_event_that_was_refused_is_no_way_around_it(api: Api) -> None:
    await asks(api, "required")
    device = str(uuid4())
    await api.send(api.batch(api.event("identified", {**ADA, "traits": 5}), visitor=device))
    await api.client.post(
        "/v1/identify", params={"key": api.write}, json={"userId": ADA["user_id"], "timestamp": "soon"}
    )
    refused = await rows(api, RejectedEvent)
    assert len(refused) == 2
    async with api.services.database.transaction(api.project_id) as tx:
        for row in refused:
            # As if today's rules found nothing wrong with them any more.
            found = await tx.get_one(RejectedEvent, (api.project_id, row.id))
            found.raw = row.raw.replace(b'"traits": 5', b'"traits": {}').replace(b'"timestamp": "soon"', b'"x": 1')
    answer = await api.client.post("/v1/rejected/replay", headers=api.headers)
    assert answer.json() == {"stored": 2, "rejected": 0}
    assert await names(api) == set()


async def test_what_was_refused_of_a_visitor_with_a_name_stops_no_replay_of_the_others(api: Api) -> None:
    theirs = uuid5(api.project_id, f"user_id\0{ADA['user_id']}")
    for visitor in (theirs, uuid4()):
        await api.send(api.batch(api.event(props={"selector": 1}), visitor=str(visitor)))
    await asks(api, "required")
    async with api.services.database.transaction(api.project_id) as tx:
        for row in await tx.scalars(select(RejectedEvent)):
            row.raw = row.raw.replace(b'"selector": 1', b'"selector": "a"')
    answer = await api.client.post("/v1/rejected/replay", headers=api.headers)
    assert answer.json() == {"stored": 1, "rejected": 1}
    assert theirs not in {event.visitor_id for event in await rows(api, Event)}


async def test_no_claim_says_of_itself_that_it_was_proved(api: Api) -> None:
    props = {"user_id": "bob", "proof": {"user_id": "signed"}}
    await api.send(api.batch(api.event("identified", props)))
    await asks(api, "observe")
    await api.send(api.batch(api.event("identified", props)))
    proofs = [event.props.get("proof") for event in await rows(api, Event)]
    assert sorted(proofs, key=str) == [None, {"user_id": "unsigned"}]


async def test_what_would_be_refused_is_counted_once_and_believed_meanwhile(api: Api) -> None:
    secret = await asks(api, "observe")
    event = api.event("identified", {**ADA, "signatures": signed(secret, user_id=ADA["user_id"]) | {"email": "0" * 64}})
    batch = api.batch(event)
    for _ in range(2):
        answer = await api.send(batch)
        assert answer.json().get("unverified") is None
    assert set(ADA.values()) <= await names(api)
    found = (await api.client.get("/v1/identity", headers=api.headers)).json()
    assert {(one["name"], one["verdict"], one["claims"]) for one in found["claims"]} == {
        ("user_id", "signed", 1),
        ("email", "wrong", 1),
        ("phone", "unsigned", 1),
    }


async def test_counts_of_many_at_once_add_up(api: Api) -> None:
    await asks(api, "observe")
    await asyncio.gather(*(native(api, str(uuid4()), {}) for _ in range(40)))
    async with api.services.database.transaction(api.project_id) as tx:
        counted = (await tx.scalars(select(IdentityClaim.claims).where(IdentityClaim.name == "user_id"))).all()
    assert list(counted) == [40]


async def test_a_secret_that_cannot_be_opened_proves_nothing(api: Api) -> None:
    secret = await asks(api, "required")
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(text("UPDATE identity_secret SET sealed = '\\x00'"))
        await tell_processes(tx, api.project_id)
    await heard(api, lambda proof: not proof.secrets)
    assert (await native(api, str(uuid4()), signed(secret, **ADA)))["unverified"]
    assert await names(api) == set()


async def test_the_answer_to_a_claim_says_nothing_of_whether_there_is_such_a_customer(api: Api) -> None:
    secret = await asks(api, "required")
    await native(api, str(uuid4()), signed(secret, **ADA))
    answers = []
    for user_id in (ADA["user_id"], "nobody-has-this"):
        batch = api.batch(api.event("identified", {"user_id": user_id, "signatures": {"user_id": "0" * 64}}))
        [doubt] = (await api.send(batch)).json()["unverified"]
        answers.append(doubt["error"])
    assert answers[0] == answers[1]
