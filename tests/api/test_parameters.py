"""What an address asks for is what the operation knows, or it is refused: of every operation behind a key."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from insights.access.operations import NEEDS
from insights.access.roles import Role
from insights.app import create_app
from tests.access.openapi import operations
from tests.api.conftest import Api


async def test_no_operation_behind_a_key_takes_a_parameter_that_it_has_not(api: Api) -> None:
    checked = 0
    for operation in operations((await api.client.get("/openapi.json")).json()):
        if not isinstance(NEEDS[operation.name], Role):
            continue
        url = operation.url(dict.fromkeys(operation.parameters, str(uuid4())))
        answer = await api.client.request(operation.method, f"{url}?limt=5", headers=api.headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "limt"), operation.name
        taken = [one["name"] for one in operation.document.get("parameters", ()) if one["in"] == "query"]
        meant = "did you mean limit?" if "limit" in taken else "there is no such parameter"
        assert meant in answer.json()["detail"], operation.name
        assert all(name in answer.json()["detail"] for name in taken), operation.name
        checked += 1
    assert checked > 90


@pytest.mark.parametrize(
    ("address", "field", "says"),
    [
        ("/v1/runs?visitor_id=1", "visitor_id", "did you mean visitor?"),
        ("/v1/runs?VISITOR=1", "VISITOR", "did you mean visitor?"),
        ("/v1/sessions?colour=red", "colour", "This operation takes cursor, "),
        ("/v1/shop?limit=1", "limit", "takes none"),
        ("/v1/runs?limit=1&limit=2", "limit", "send it once"),
    ],
)
async def test_who_misspells_a_filter_is_told_and_gets_no_list(api: Api, address: str, field: str, says: str) -> None:
    answer = await api.client.get(address, headers=api.headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert says in answer.json()["detail"]
    assert (await api.client.get(address)).status_code == 401


async def test_the_operators_operations_are_as_strict(api: Api) -> None:
    token = "the operator's token, for this test alone"
    services = replace(api.services, settings=replace(api.services.settings, operator_token=token))
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as operator:
        assert (await operator.get("/v1/projects")).status_code == 200
        assert (await operator.get("/v1/projects?limt=1")).status_code == 422
