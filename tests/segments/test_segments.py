"""Segments over HTTP: defined, refused, previewed, asked for; and tags."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from insights.access.keys import create_key
from insights.models import Visitor
from tests.api.conftest import Api
from tests.segments.people import CART, close_visits, create, segments_of, tag, visit


async def test_a_segment_is_defined_read_changed_and_deleted(api: Api) -> None:
    made = await create(api, "big-carts", "cart.value >= 50 EUR")
    assert made["when"] == {"field": "cart.value", "op": "ge", "value": {"minor": 5000, "currency": "EUR"}}
    assert made["text"] == "cart.value >= 50.00 EUR"
    url = "/v1/segments/big-carts"
    first = await api.client.get(url, headers=api.headers)
    assert first.headers["etag"] == made["etag"]
    changed = await api.client.put(
        url, headers={**api.headers, "if-match": made["etag"]}, json={"when": made["when"], "description": "rich"}
    )
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    for sent, status in ((made["etag"], 412), ('"nonsense"', 400)):
        headers = {**api.headers, "if-match": sent}
        assert (await api.client.put(url, headers=headers, json={"when": None})).status_code == status
        assert (await api.client.delete(url, headers=headers)).status_code == status
    listed = (await api.client.get("/v1/segments", headers=api.headers)).json()["segments"]
    assert [(one["name"], one["description"], one["members"]) for one in listed] == [("big-carts", "rich", 0)]
    assert (await api.client.delete(url, headers={**api.headers, "if-match": "*"})).status_code == 204
    assert (await api.client.get(url, headers=api.headers)).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "Big Carts", "when": "cart.items > 0"}, 400, "is no name"),
        ({"name": "Große Körbe 👑"}, 400, "'Große Körbe 👑' is no name"),
        ({"name": ""}, 422, "name: write at least 1 character."),
        ({"name": "x", "when": "cart.itms > 0"}, 422, "did you mean cart.items"),
        ({"name": "x", "when": {"all": []}}, 422, "not a list of conditions"),
        ({"name": "x", "when": "session.leaving = true"}, 422, "known in: a live action"),
        ({"name": "x", "when": 'visitor.segments has "nobody"'}, 422, "there is no segment nobody"),
        ({"name": "x", "when": 'not visitor.segments has "x"'}, 422, "x → x"),
        ({"name": "x", "when": "cart.items > 0", "wen": 1}, 422, "wen"),
        ({"name": "x", "description": "y" * 1001}, 400, "description"),
    ],
)
async def test_what_is_no_segment_is_refused_with_the_reason(
    api: Api, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await api.client.post("/v1/segments", headers=api.headers, json=body)
    assert answer.status_code == status
    assert said in answer.text
    assert (await api.client.get("/v1/segments", headers=api.headers)).json() == {"segments": []}


async def test_a_fault_has_its_pointer_and_its_place_in_the_text(api: Api) -> None:
    body = {"name": "x", "when": "cart.items > 0 and cart.itms > 1 and intent.propensity > 50"}
    answer = await api.client.post("/v1/segments", headers=api.headers, json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    faults = answer.json()["faults"]
    assert [(one["pointer"], one["start"], one["end"]) for one in faults] == [
        ("/all/1/field", 19, 28),
        ("/all/2/value", 57, 59),
    ]


async def test_segments_build_on_segments_but_never_in_a_circle(api: Api) -> None:
    await create(api, "a", "cart.items > 0")
    await create(api, "b", 'visitor.segments has "a" and visitor.purchases = 0')
    await create(api, "c", 'visitor.segments has any ("b")')
    answer = await api.client.put("/v1/segments/a", headers=api.headers, json={"when": 'visitor.segments has "c"'})
    assert answer.status_code == 422
    assert "a → c → b → a" in answer.json()["detail"]
    in_use = await api.client.delete("/v1/segments/a", headers=api.headers)
    assert (in_use.status_code, "segment b" in in_use.json()["detail"]) == (409, True)
    with_cart, without = await visit(api, ("cart_added", CART)), await visit(api)
    assert await segments_of(api, with_cart) == ["a", "b", "c"]
    assert await segments_of(api, without) == []


async def test_two_changes_at_once_make_no_circle_together(api: Api) -> None:
    await create(api, "a", None)
    await create(api, "b", None)
    answers = await asyncio.gather(
        api.client.put("/v1/segments/a", headers=api.headers, json={"when": 'visitor.segments has "b"'}),
        api.client.put("/v1/segments/b", headers=api.headers, json={"when": 'visitor.segments has "a"'}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_a_segment_is_renamed_while_nothing_asks_about_it(api: Api) -> None:
    made = await create(api, "carts", "cart.items > 0")
    await create(api, "best", 'visitor.segments has "carts"')
    inside, outside = await visit(api, ("cart_added", CART)), await visit(api)
    await close_visits(api)
    before = {visitor: await version_of(api, visitor) for visitor in (inside, outside)}
    body = {"name": "baskets", "description": "", "when": made["when"]}
    for refused in (body, body | {"name": "best"}):
        answer = await api.client.put("/v1/segments/carts", headers=api.headers, json=refused)
        assert (answer.status_code, answer.json()["field"]) == (409, "name")
    bad = await api.client.put("/v1/segments/carts", headers=api.headers, json=body | {"name": "The Carts"})
    assert (bad.status_code, bad.json()["field"]) == (400, "name")
    assert (await api.client.delete("/v1/segments/best", headers=api.headers)).status_code == 204
    renamed = await api.client.put("/v1/segments/carts", headers={**api.headers, "if-match": made["etag"]}, json=body)
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["id"]) == (200, "baskets", made["id"])
    assert (await api.client.get("/v1/segments/carts", headers=api.headers)).status_code == 404
    read = (await api.client.get("/v1/segments/baskets", headers=api.headers)).json()
    assert (read["members"], await segments_of(api, inside)) == (1, ["baskets"])
    # Processes that know somebody by the old name look them up anew, and only those.
    assert await version_of(api, inside) > before[inside]
    assert await version_of(api, outside) == before[outside]


async def version_of(api: Api, visitor: UUID) -> int:
    async with api.services.database.transaction(api.project_id) as tx:
        return (await tx.get_one(Visitor, (api.project_id, visitor))).version


async def test_a_preview_counts_who_matches_now_and_shows_some_with_the_reason(api: Api) -> None:
    rich = await visit(api, ("cart_added", CART))
    await visit(api)
    await visit(api, ("cart_added", {**CART, "currency": "USD"}))
    answer = await api.client.post(
        "/v1/segments/preview", headers=api.headers, json={"when": "cart.value >= 50 EUR and cart.items > 0"}
    )
    found = answer.json()
    assert {**found, "sample": len(found["sample"])} == {
        "matched": 1,
        # Another currency cannot be compared; an empty cart is no cart, whatever its currency.
        "unknown": 1,
        "examined": 3,
        "total": 3,
        "complete": True,
        "sample": 1,
    }
    assert found["sample"][0]["visitor"] == str(rich)
    assert found["sample"][0]["why"] == "cart.value is 60.00 EUR; cart.items is 1"
    await create(api, "rich", "cart.value >= 50 EUR")
    named = await api.client.post("/v1/segments/preview", headers=api.headers, json={"segment": "rich"})
    assert named.json()["matched"] == 1
    both = await api.client.post("/v1/segments/preview", headers=api.headers, json={})
    assert both.status_code == 400


async def test_a_visitor_is_added_by_hand_and_taken_out_again(api: Api) -> None:
    await create(api, "friends", None)
    await create(api, "carts", "cart.items > 0")
    visitor = await visit(api, ("cart_added", CART))
    for name in ("friends", "carts"):
        url = f"/v1/segments/{name}/visitors/{visitor}"
        assert (await api.client.put(url, headers=api.headers)).json() == {"changed": True}
        assert (await api.client.put(url, headers=api.headers)).json() == {"changed": False}
    assert await segments_of(api, visitor) == ["carts", "friends"]
    for name in ("friends", "carts"):
        url = f"/v1/segments/{name}/visitors/{visitor}"
        assert (await api.client.delete(url, headers=api.headers)).json() == {"changed": True}
    assert await segments_of(api, visitor) == ["carts"]
    assert (await api.client.put(f"/v1/segments/friends/visitors/{uuid4()}", headers=api.headers)).status_code == 404
    assert (await api.client.put(f"/v1/segments/none/visitors/{visitor}", headers=api.headers)).status_code == 404


async def test_tags_are_put_on_and_taken_off_and_conditions_see_them(api: Api) -> None:
    visitor = await visit(api)
    await create(api, "vips", 'visitor.tags has "vip"')
    assert await tag(api, visitor, "VIP", " b2b ") == ["b2b", "vip"]
    assert await tag(api, visitor, "vip", remove=("b2b", "never")) == ["vip"]
    assert await segments_of(api, visitor) == ["vips"]
    assert await tag(api, visitor, remove=("vip",)) == []
    assert await segments_of(api, visitor) == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"set": ["no spaces"]}, 400, "is no tag"),
        ({"set": ["x\u0000"]}, 422, "NUL"),
        ({"set": ["a"], "remove": ["A"]}, 400, "name it once"),
        ({"set": [f"t{n}" for n in range(51)]}, 422, "50"),
        ({"tags": ["a"]}, 422, "tags"),
    ],
)
async def test_what_is_no_tag_is_refused(api: Api, body: dict[str, Any], status: int, said: str) -> None:
    visitor = await visit(api)
    answer = await api.client.post(f"/v1/visitors/{visitor}/tags", headers=api.headers, json=body)
    assert answer.status_code == status
    assert said in answer.text
    url = f"/v1/visitors/{uuid4()}/tags"
    assert (await api.client.post(url, headers=api.headers, json={"set": ["a"]})).status_code == 404


async def test_a_visitor_never_has_more_than_fifty_tags_however_they_come(api: Api) -> None:
    visitor = await visit(api)
    url = f"/v1/visitors/{visitor}/tags"
    bodies = [{"set": [f"t{n}-{m}" for m in range(10)]} for n in range(8)]
    answers = await asyncio.gather(*(api.client.post(url, headers=api.headers, json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [400] * 3
    assert len((await api.client.get(url, headers=api.headers)).json()["tags"]) == 50


async def test_one_persons_tags_are_on_all_their_devices(api: Api) -> None:
    who = {"user_id": "ada"}
    phone = await visit(api, ("identified", who))
    laptop = await visit(api, ("identified", who))
    assert await tag(api, phone, "vip") == ["vip"]
    await create(api, "vips", 'visitor.tags has "vip"')
    assert await segments_of(api, laptop) == ["vips"]
    assert await tag(api, laptop, remove=("vip",)) == []
    assert await segments_of(api, phone) == []


async def test_another_project_sees_none_of_it(api: Api) -> None:
    visitor = await visit(api)
    await tag(api, visitor, "vip")
    await create(api, "vips", 'visitor.tags has "vip"')
    other = await create_key(api.services.database, f"other-{uuid4()}", "secret", [])
    headers = {"authorization": f"Bearer {other.key}"}
    assert (await api.client.get("/v1/segments", headers=headers)).json() == {"segments": []}
    assert (await api.client.get(f"/v1/visitors/{visitor}/tags", headers=headers)).status_code == 404
    assert (await api.client.get(f"/v1/visitors/{visitor}/segments", headers=headers)).status_code == 404
    assert (await api.client.get("/v1/segments/vips", headers=headers)).status_code == 404


async def test_a_builder_asks_for_fields_schema_and_what_a_text_means(api: Api) -> None:
    await tag(api, await visit(api), "vip")
    await create(api, "friends", None)
    answer = await api.client.get("/v1/conditions/fields", params={"place": "segment"}, headers=api.headers)
    fields = {field["name"]: field for field in answer.json()["fields"]}
    assert fields["visitor.tags"]["suggests"] == ["vip"]
    assert fields["visitor.segments"]["suggests"] == ["friends"]
    assert "session.leaving" not in fields
    schema = (await api.client.get("/v1/conditions/schema")).json()
    assert schema["title"] == "Condition"
    visitor = await visit(api, ("cart_added", CART))
    body = {"when": "cart.items > 5 or insight.reason = unclear", "visitor": str(visitor)}
    checked = (await api.client.post("/v1/conditions/check", headers=api.headers, json=body)).json()
    assert checked["text"] == 'cart.items > 5 or insight.reason = "unclear"'
    assert checked["answer"]["truth"] is None
    assert checked["answer"]["why"] == "insight.reason is not known"
    assert [part["truth"] for part in checked["answer"]["explanation"]["parts"]] == [False, None]


_HOSTILE: list[Any] = [
    "\x00",
    "\ud800",
    "a" * 30_000,
    "(" * 5_000,
    '"\ud800" = 1',
    "\ud800 = 1",
    "cart.items > \ud800",
    {"\ud800": 1},
    {"field": "\ud800", "op": "\x00"},
    {"field": "cart.items", "op": "gt", "value": 10**400},
    {"field": "cart.value", "op": "gt", "value": {"minor": 10**400, "currency": "EUR"}},
    {"field": "session.engaged", "op": "gt", "value": {"seconds": 10**400}},
    {"field": "visitor.first_seen_at", "op": "gt", "value": {"at": "9999-12-31T23:59:59-23:59"}},
    {"field": "intent.propensity", "op": "gt", "value": float("nan")},
    {"field": "visitor.country", "op": "eq", "value": "\x00"},
    {"field": "events.purchased.count", "args": [{"seconds": 10**400}], "op": "gt", "value": 1},
    {"field": "visitor.trait", "args": ["\x00"], "op": "known"},
    {"all": [{"all": [{"all": {}}]}] * 1000},
    json.loads('{"not":' * 500 + "1" + "}" * 500),
]


@pytest.mark.parametrize("when", _HOSTILE, ids=range(len(_HOSTILE)))
async def test_a_hostile_condition_is_refused_by_every_operation(api: Api, when: Any) -> None:
    for path, body in (
        ("/v1/segments", {"name": "x", "when": when}),
        ("/v1/segments/preview", {"when": when}),
        ("/v1/conditions/check", {"when": when}),
    ):
        content = json.dumps(body)
        headers = {**api.headers, "content-type": "application/json"}
        answer = await api.client.post(path, headers=headers, content=content)
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["%00", "%ED%A0%80", "a" * 61, "..", "A b", "'"])
async def test_a_hostile_name_is_no_segment(api: Api, name: str) -> None:
    visitor = await visit(api)
    for method, path in (
        ("GET", f"/v1/segments/{name}"),
        ("DELETE", f"/v1/segments/{name}"),
        ("PUT", f"/v1/segments/{name}/visitors/{visitor}"),
    ):
        answer = await api.client.request(method, path, headers=api.headers)
        assert 400 <= answer.status_code < 500, (method, path, answer.text)


async def test_a_description_that_cannot_be_stored_is_refused(api: Api) -> None:
    for description in ("\x00", "\ud800"):
        content = json.dumps({"name": "x", "description": description})
        headers = {**api.headers, "content-type": "application/json"}
        answer = await api.client.post("/v1/segments", headers=headers, content=content)
        assert answer.status_code in (400, 422)
        assert "description" in answer.text


async def test_a_live_action_asks_about_segments_there_are_and_holds_them(api: Api) -> None:
    await create(api, "friends", None)
    body = {
        "name": "hello",
        "action": "trust_card",
        "template": "banner",
        "stages": ["browser"],
        "content": {"default": {"title": "Hello", "body": "again"}},
        "when": 'visitor.segments has "freinds"',
    }
    refused = await api.client.post("/v1/live-actions", headers=api.headers, json=body)
    assert 400 <= refused.status_code < 500, refused.text
    assert "/when/value: there is no segment freinds; did you mean friends?" in refused.json()["detail"]
    for when in ('visitor.segments has "friends"', {"field": "visitor.segments", "op": "has", "value": "friends"}):
        made = await api.client.post("/v1/live-actions", headers=api.headers, json={**body, "when": when})
        assert made.status_code == 201, made.text
        used = await api.client.delete("/v1/segments/friends", headers=api.headers)
        assert (used.status_code, "live action hello" in used.json()["detail"]) == (409, True)
        url = f"/v1/live-actions/{made.json()['id']}"
        assert (await api.client.delete(url, headers=api.headers)).status_code == 204
    assert (await api.client.delete("/v1/segments/friends", headers=api.headers)).status_code == 204
