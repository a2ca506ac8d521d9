from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api


async def ask(api: Api, method: str, path: str, **options: Any) -> Any:
    headers = api.headers | options.pop("headers", {})
    return await api.client.request(method, path, headers=headers, **options)


async def test_a_shop_begins_with_nobody_held_out_and_no_margin(api: Api) -> None:
    answer = await ask(api, "GET", "/v1/shop")
    assert answer.status_code == 200
    assert answer.json()["holdout"] == 0
    assert answer.json()["margin_rate"] is None
    assert "salt" not in answer.json()


async def test_what_is_given_changes_and_the_rest_stays(api: Api) -> None:
    await ask(api, "PATCH", "/v1/shop", json={"currency": "EUR", "margin_rate": 0.3})
    answer = await ask(api, "PATCH", "/v1/shop", json={"holdout": 0.1})
    assert answer.status_code == 200
    assert answer.json() | {"updated_at": ""} == answer.json() | {
        "currency": "EUR",
        "margin_rate": 0.3,
        "holdout": 0.1,
        "updated_at": "",
    }


async def test_an_older_etag_changes_nothing(api: Api) -> None:
    seen = (await ask(api, "GET", "/v1/shop")).headers["etag"]
    assert (await ask(api, "PATCH", "/v1/shop", json={"holdout": 0.1}, headers={"if-match": seen})).status_code == 200
    answer = await ask(api, "PATCH", "/v1/shop", json={"holdout": 0.2}, headers={"if-match": seen})
    assert answer.status_code == 412
    assert (await ask(api, "GET", "/v1/shop")).json()["holdout"] == 0.1


@pytest.mark.parametrize("odd", ["3", '"²"', '"-1"', '"' + "9" * 40 + '"', '""', "garbage"])
async def test_what_is_no_etag_is_refused(api: Api, odd: str) -> None:
    headers = {"if-match": odd.encode("latin-1")}
    answer = await ask(api, "PATCH", "/v1/shop", json={"holdout": 0.1}, headers=headers)
    assert answer.status_code == 400
    assert "If-Match" in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"holdout": 0.9}, "holdout"),
        ({"margin_rate": 0.3}, "currency"),
        ({"currency": "euro"}, "currency"),
        ({"contact_href": "javascript:alert(1)"}, "contact_href"),
        ({"contact_href": "//evil.example"}, "contact_href"),
        ({"free_shipping_from_minor": -1, "currency": "EUR"}, "free_shipping_from_minor"),
        ({"salt": "0"}, "salt"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(api: Api, change: dict[str, Any], field: str) -> None:
    answer = await ask(api, "PATCH", "/v1/shop", json=change)
    assert answer.status_code in (400, 422)
    assert field in answer.text


async def test_a_write_key_may_not_ask(api: Api) -> None:
    for path in ("/v1/shop", "/v1/policies"):
        answer = await api.client.get(path, headers={"authorization": f"Bearer {api.write}"})
        assert answer.status_code == 401


async def test_before_anything_was_learned_there_is_nobody_to_promote(api: Api) -> None:
    answer = await ask(api, "GET", "/v1/policies")
    assert answer.status_code == 200
    assert answer.json() == {"policies": [], "standing": None, "curve": [], "unit": "orders"}
    assert (await ask(api, "POST", "/v1/policies/rollback")).status_code == 409


async def test_a_challenger_waits_until_the_data_can_tell(api: Api) -> None:
    made = await ask(api, "POST", "/v1/policies", json={"name": "sampler", "settings": {"explorer": "thompson"}})
    assert made.status_code == 201
    listed = (await ask(api, "GET", "/v1/policies")).json()["policies"]
    assert [(policy["name"], policy["role"]) for policy in listed] == [
        ("first", "incumbent"),
        ("sampler", "challenger"),
    ]
    path = f"/v1/policies/{made.json()['id']}"
    evaluation = await ask(api, "GET", f"{path}/evaluation")
    assert evaluation.status_code == 200
    assert evaluation.json()["verdict"] == "cannot tell"
    refused = await ask(api, "POST", f"{path}/promote")
    assert refused.status_code == 409
    assert "No decision of this time has a reward yet" in refused.text
    assert [one["kind"] for one in (await ask(api, "GET", "/v1/policies/changes")).json()["changes"]] == ["first"]


@pytest.mark.parametrize("settings", [{"explorer": "dice"}, {"gamma": -1}, {"unheard": 1}])
async def test_settings_that_make_no_policy_are_refused(api: Api, settings: dict[str, Any]) -> None:
    answer = await ask(api, "POST", "/v1/policies", json={"name": "odd", "settings": settings})
    assert answer.status_code == 400
    assert "settings" in answer.text


async def test_held_out_visitors_get_nothing_within_seconds_of_the_change(api: Api) -> None:
    await ask(api, "PATCH", "/v1/shop", json={"holdout": 0.5})
    answer = await api.send(api.batch(api.event("page_viewed", {"path": "/"})))
    assert answer.status_code == 200
    plan = await api.services.plans.plan_of(api.project_id)
    assert plan.holdout == 0.5
    assert plan.salt != bytes(16)
