"""What was refused names people as its sender wrote them: it is found by every way to write a name, and by no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from insights.models import AnsweredRequest
from insights.privacy.named import Names
from insights.privacy.requests import carry_out
from tests.privacy.place import Place

ZOE = 'Zoë-"7"/a'


async def _refused(place: Place) -> int:
    return len((await place.ask("GET", "/v1/rejected"))["rejected"])


async def _exported(place: Place, **who: str) -> dict[str, Any]:
    asked = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", **who})
    exported: dict[str, Any] = await place.ask("GET", f"/v1/privacy/requests/{asked['id']}/export")
    return exported


@pytest.mark.parametrize(
    ("path", "message", "who"),
    [
        ("/v1/track", {"userId": ZOE}, {"user_id": ZOE}),
        ("/v1/track", {"userId": 4711}, {"user_id": "4711"}),
        ("/v1/track", {"anonymousId": "a", "context": {"traits": {"email": "JÜRGEN@hidden.example"}}},
         {"email": "jürgen@hidden.example"}),
        ("/v1/track", {"anonymousId": "a", "context": {"traits": {"phone": "0049 151 123-77701"}}},
         {"phone": "+4915112377701"}),
        ("/v1/track", {"anonymousId": "a", "properties": {"note": "Is Jane@hidden.example, written to, the one?"}},
         {"email": "jane@hidden.example"}),
        ("/v1/track", {"anonymousId": "a", "context": {"page": {"url": "https://a.example/?m=Jane%40hidden.example&b"}}},
         {"email": "jane@hidden.example"}),
        ("/v1/track", {"anonymousId": "a", "properties": {"note": "Ring 0049 (0)151 123-77701 in the evening."}},
         {"phone": "+4915112377701"}),
        ("/v1/ga4", {"user_id": "customer-4711", "events": [{"params": {}}]}, {"user_id": "customer-4711"}),
    ],
)  # fmt: skip
async def test_what_was_refused_is_handed_over_and_erased_however_it_was_written(
    place: Place, path: str, message: dict[str, Any], who: dict[str, str]
) -> None:
    for said in (message, json.loads(json.dumps(message).translate({ord("4"): "5", ord("Z"): "Y", ord("J"): "K"}))):
        parameters = {"key": place.write}
        answer = await place.client.post(path, params=parameters, json={**said, "writeKey": place.write})
        assert answer.status_code == 200, answer.text
    assert await _refused(place) == 2, "theirs and another's"
    assert len((await _exported(place, **who))["rejected_event"]) == 1
    await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", **who})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 1
    assert await _refused(place) == 1
    assert "rejected_event" not in await _exported(place, **who)


async def test_answers_that_name_a_customer_go_and_those_that_have_the_same_digits_stay(place: Place) -> None:
    bodies = {"named": '{"user": "17"}', "counted": '{"runs": 17, "at": "2026-11-17"}', "quoted": '{"who": "\\"7\\""}'}
    async with place.services.database.transaction(place.project) as tx:
        now = await tx.scalar(select(func.now()))
        for key, body in bodies.items():
            row = {"fingerprint": key, "status": 200, "headers": {}, "body": body, "at": now}
            tx.add(AnsweredRequest(project_id=place.project, key=key, **row))
    for user_id in ("17", '"7"'):
        await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", "user_id": user_id})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 2
    async with place.services.database.transaction(place.project) as tx:
        assert list(await tx.scalars(select(AnsweredRequest.key))) == ["counted"]


def test_a_number_is_a_customer_only_where_customers_ids_stand() -> None:
    names = Names(["1"])
    assert not names.stand_in(b'{"price": 1, "id": 1, "items": [{"id": 1}], "ok": true}', {"index": 1})
    for raw in (b'{"customer": {"id": 1}}', b'{"user_id": 1.0}', b'{"userId": 1}', b'{"items": ["1"]}'):
        assert names.stand_in(raw, {}), raw
    assert names.stand_in(b"{}", {"context": {"user_id": 1}})
    assert names.stand_in(b'{"cut": "1", ', {})


def test_an_address_within_a_text_is_theirs_only_where_it_begins_and_ends() -> None:
    names = Names(["ada@shop.example", "1234567"])
    for text in (
        "Ada@shop.example.",
        "<ada@shop.example>",
        "mailto:ada@shop.example?x",
        "x'ada@shop.example'",
        "1,1234567.",
    ):
        assert names.stand_in(json.dumps({"a": [text]}).encode(), {}), text
        assert names.stand_in(f'{{"cut": "{text}'.encode(), {}), text
    for text in ("nada@shop.example", "x.ada@shop.example", "ada@shop.example.org", "ada@shop.examples", "912345678"):
        assert not names.stand_in(json.dumps({"a": [text]}).encode(), {}), text


async def test_who_asked_for_an_export_by_another_spelling_is_forgotten_too(place: Place) -> None:
    asked = [("0049 (0)151 123-77701", "+4915112377701"), (" Zo\u00eb@Hidden.example", "zo\u00eb@hidden.example")]
    for kind, name in (("phone", 0), ("email", 1)):
        earlier, now = asked[name]
        await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", kind: earlier})
        await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", kind: now})
    await carry_out(place.services.database, place.services.profiles.forget)
    requests = (await place.ask("GET", "/v1/privacy/requests"))["requests"]
    assert [(one["who"], one["done_at"] is None) for one in requests] == [({}, False)] * 4
