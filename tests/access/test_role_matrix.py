"""Every operation beside every kind of key: all refused that should be."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from insights.access.keys import create_key
from insights.access.operations import NEEDS, SCOPES, Door, scope_of
from insights.access.roles import Role
from tests.access.openapi import Operation, operations
from tests.api.conftest import Api

REFUSED = (401, 403)


async def every_operation(api: Api) -> list[Operation]:
    return list(operations((await api.client.get("/openapi.json")).json()))


async def ask(api: Api, operation: Operation, key: str | None) -> tuple[int, dict[str, Any]]:
    """Asks with made-up ids: who may not ask is refused before anything is looked for."""
    url = operation.url(dict.fromkeys(operation.parameters, str(uuid4())))
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = None if operation.method in ("GET", "DELETE") else {}
    answer = await api.client.request(operation.method, url, headers=headers, json=body)
    is_json = "json" in answer.headers.get("content-type", "")
    return answer.status_code, answer.json() if is_json and answer.status_code >= 400 else {}


async def test_every_operation_says_who_may_ask_for_it_and_none_is_named_in_vain(api: Api) -> None:
    listed = {operation.name for operation in await every_operation(api)}
    assert listed - set(NEEDS) == set(), "add these to NEEDS in insights/access/operations.py"
    assert set(NEEDS) - listed == set(), "these are gone: remove them from insights/access/operations.py"


async def test_operations_behind_a_key_say_so_in_the_document_and_the_others_do_not(api: Api) -> None:
    for operation in await every_operation(api):
        needs_key = isinstance(NEEDS[operation.name], Role) or NEEDS[operation.name] is Door.OPERATOR
        assert bool(operation.document.get("security")) == needs_key, operation.name


@pytest.mark.parametrize("role", [None, *Role])
async def test_every_operation_refuses_every_key_that_may_not_ask_for_it(api: Api, role: Role | None) -> None:
    """``None``: the write key."""
    if role is None:
        key = api.write
    else:
        key = (await create_key(api.services.database, f"roles-{uuid4()}", "secret", [], role=role)).key
    checked = 0
    for operation in await every_operation(api):
        need = NEEDS[operation.name]
        if need in (Door.ANYONE, Door.SIGNED):
            continue
        allowed = (
            role is not None and role.includes(need)
            if isinstance(need, Role)
            else need is Door.EVENTS and (role is None or role.includes(Role.EDITOR))
        )
        status, problem = await ask(api, operation, key)
        refused = status in REFUSED and problem["title"] in ("The key is not accepted", "This is not allowed")
        assert refused != allowed, (operation.name, status, problem)
        checked += 1
    assert checked > 60


async def test_every_operation_behind_a_key_refuses_whoever_has_none(api: Api) -> None:
    made_up = f"wl_s_{uuid4().hex}"
    for operation in await every_operation(api):
        if NEEDS[operation.name] in (Door.ANYONE, Door.SIGNED):
            continue
        for key in (None, made_up, "nonsense", ""):
            assert (await ask(api, operation, key))[0] == 401, (operation.name, key)


@pytest.mark.parametrize("role", [None, Role.READER, Role.EDITOR])
async def test_nobody_is_read_who_may_not_ask(api: Api, role: Role | None) -> None:
    """What is no JSON is not found out before the key is. ``None``: no key, one that there is not, the write key."""
    keys: list[str | None] = [None, f"wl_s_{uuid4().hex}", api.write]
    if role is not None:
        keys = [(await create_key(api.services.database, f"roles-{uuid4()}", "secret", [], role=role)).key]
    checked = 0
    for operation in await every_operation(api):
        need = NEEDS[operation.name]
        if operation.method == "GET" or need in (Door.ANYONE, Door.SIGNED, Door.EVENTS):
            continue
        if role is not None and isinstance(need, Role) and role.includes(need):
            continue
        url = operation.url(dict.fromkeys(operation.parameters, str(uuid4())))
        for key in keys:
            headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
            answer = await api.client.request(operation.method, url, headers=headers, content=b"[" * 100)
            assert answer.status_code in REFUSED, (operation.name, key, answer.text)
            checked += 1
    assert checked > 20


async def test_a_scope_opens_its_operations_and_no_other(api: Api) -> None:
    keys: dict[str, str] = {}
    for scope in sorted(SCOPES):
        body = {"kind": "secret", "role": "admin", "scopes": [scope]}
        made = await api.client.post("/v1/keys", json=body, headers=api.headers)
        keys[scope] = made.json()["key"]
    for operation in await every_operation(api):
        if not isinstance(NEEDS[operation.name], Role):
            continue
        own = scope_of(operation.name)
        other = "read:sessions" if own != "read:sessions" else "read:lift"
        assert (await ask(api, operation, keys[own]))[0] not in REFUSED, operation.name
        assert (await ask(api, operation, keys[other]))[0] == 403, operation.name
