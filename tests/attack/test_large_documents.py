"""Documents as large as they may be, full of mistakes: they cost whoever sends them, and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from insights.api.stored import MOST_UNKNOWN
from insights.building.drafts import MOST_BYTES
from insights.recovery.library import looking
from tests.api.conftest import Api, api
from tests.building.test_refused import plan, sends

__all__ = ["api"]

JUNK = {f"k{n}": 1 for n in range(40_000)}


async def post(api: Api, path: str, body: dict[str, Any]) -> httpx.Response:
    return await api.client.post(f"/v1/{path}", headers=api.headers, json=body)


async def pointers(api: Api, definition: dict[str, Any]) -> list[tuple[str, str]]:
    answer = await post(api, "flows/validate", {"definition": definition})
    return [(fault["pointer"], fault["problem"]) for fault in answer.json()["faults"]]


async def test_requests_are_answered_while_a_flow_full_of_templates_is_looked_over(api: Api) -> None:
    words = {
        f"s{n}": {"do": "send", "action": "send_sms", "params": {"text": f"{n}" + "{{ zz }}" * 190}} for n in range(100)
    }
    flow = plan(*words.items())
    under_way = asyncio.create_task(post(api, "flows/validate", {"definition": flow}))
    answered_meanwhile = 0
    while not under_way.done():
        looked_over = api.project_id in looking()._lines
        answer = await api.client.get("/v1/deliveries", headers=api.headers)
        assert answer.status_code == 200
        answered_meanwhile += looked_over and not under_way.done()
    assert ("/steps/s0/params/text", "there is no value zz") in {
        (fault["pointer"], fault["problem"]) for fault in (await under_way).json()["faults"]
    }
    assert answered_meanwhile


@pytest.mark.parametrize("name", ["flows/validate", "flows/preview"])
async def test_no_door_takes_a_larger_flow_than_can_be_stored(api: Api, name: str) -> None:
    body = {"definition": sends("send_sms", text="x" * MOST_BYTES)}
    answer = await post(api, name, body)
    assert (answer.status_code, answer.json()["field"]) == (400, "definition")


@pytest.mark.parametrize("path", ["segments/preview", "segments", "flows/preview", "messages/preview", "keys"])
async def test_fields_by_the_thousand_are_refused_in_a_sentence(api: Api, path: str) -> None:
    answer = await post(api, path, JUNK)
    assert answer.status_code == 422
    assert "has 40000 fields" in answer.json()["detail"]


async def test_a_field_too_many_is_still_named(api: Api) -> None:
    answer = await post(api, "segments/preview", {"wen": "cart.items >= 1"} | {f"k{n}": 1 for n in range(MOST_UNKNOWN)})
    assert answer.json()["field"] == "wen"


async def test_words_that_are_too_long_are_not_read_as_well(api: Api) -> None:
    for action, param in (("send_sms", "text"), ("send_push", "title"), ("create_crm_task", "title")):
        found = await pointers(api, sends(action, **{param: "{{ zz.y }}" * 500}))
        assert found == [(f"/steps/it/params/{param}", "is too long")]


async def test_reasons_without_end_are_one_mistake(api: Api) -> None:
    found = await pointers(api, sends("do_nothing") | {"trigger": {"on": "insight", "reasons": ["x"] * 1_000}})
    assert found == [("/trigger/reasons", "is too long")]
