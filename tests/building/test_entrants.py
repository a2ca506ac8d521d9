"""Who comes into a flow that is paused, resumed, published anew: on the real engine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx

from tests.api.conftest import Api
from tests.segments.people import CART, close_visits, visit

PLAN: dict[str, Any] = {
    "name": "f",
    "trigger": {"on": "insight", "kind": "abandoned"},
    "start": "pause",
    "steps": {
        "pause": {"do": "wait", "for": "PT1H", "next": "tag"},
        "tag": {"do": "send", "action": "tag_customer", "params": {"tag": "left"}},
    },
    "settings": {"reenter": "always"},
}


async def call(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    answer = await api.client.request(method, f"/v1/{path}", headers=api.headers, **options)
    assert answer.status_code < 300, answer.text
    return answer


async def live(api: Api) -> str:
    flow: str = (await call(api, "POST", "flows", json={"definition": PLAN})).json()["id"]
    await call(api, "POST", f"flows/{flow}/publish")
    return flow


async def comes(api: Api) -> UUID:
    visitor = await visit(api, ("cart_added", CART))
    await close_visits(api)
    return visitor


async def runs_of(api: Api, visitor: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await call(api, "GET", f"runs?visitor={visitor}")).json()["runs"]
    return found


async def test_a_paused_flow_collects_nobody_and_resuming_starts_nothing_for_them(api: Api) -> None:
    flow = await live(api)
    before = await comes(api)
    await call(api, "POST", f"flows/{flow}/pause")
    meanwhile = await comes(api)
    await call(api, "POST", f"flows/{flow}/resume")
    await close_visits(api)
    after = await comes(api)
    assert [len(await runs_of(api, one)) for one in (before, meanwhile, after)] == [1, 0, 1]
    assert (await runs_of(api, before))[0]["status"] == "waiting"


async def test_pausing_lets_runs_finish_or_cancels_them_and_archiving_cancels(api: Api) -> None:
    flow = await live(api)
    first = await comes(api)
    await call(api, "POST", f"flows/{flow}/pause", json={"runs": "finish"})
    assert (await runs_of(api, first))[0]["status"] == "waiting"
    await call(api, "POST", f"flows/{flow}/pause", json={"runs": "cancel"})
    (cancelled,) = await runs_of(api, first)
    assert (cancelled["status"], cancelled["end_reason"]) == ("cancelled", "flow_paused")
    assert cancelled["history"][-1]["what"] == "cancelled"
    await call(api, "POST", f"flows/{flow}/resume")
    second = await comes(api)
    await call(api, "POST", f"flows/{flow}/archive")
    assert (await runs_of(api, second))[0]["end_reason"] == "flow_archived"


async def test_publishing_anew_starts_nobody_again_and_runs_stay_with_their_version(api: Api) -> None:
    flow = await live(api)
    first = await comes(api)
    steps = PLAN["steps"] | {"pause": {"do": "wait", "for": "PT2H", "next": "tag"}}
    await call(api, "PUT", f"flows/{flow}", json={"definition": PLAN | {"steps": steps}})
    await call(api, "POST", f"flows/{flow}/publish")
    second = await comes(api)
    (old,), (new,) = await runs_of(api, first), await runs_of(api, second)
    assert (old["version"], new["version"]) == (1, 2)
    versions = (await call(api, "GET", f"flows/{flow}/versions")).json()["versions"]
    assert [(one["number"], one["runs"], one["unfinished"]) for one in versions] == [(2, 1, 1), (1, 1, 1)]
    listed = (await call(api, "GET", "flows")).json()["flows"]
    assert [(one["version"], one["runs"], one["unfinished"]) for one in listed] == [(2, 2, 2)]


async def test_a_rehearsal_says_what_the_engine_did(api: Api) -> None:
    flow = await live(api)
    visitor = await comes(api)
    (real,) = await runs_of(api, visitor)
    body = {"flow": flow, "visitor": str(visitor)}
    rehearsed = (await call(api, "POST", "flows/step-through", json=body)).json()
    told = [(line["step"], line["what"]) for line in real["history"]]
    assert [(line["step"], line["what"]) for line in rehearsed["lines"]][: len(told)] == told
    assert (rehearsed["status"], rehearsed["reason"]) == ("done", "finished")
