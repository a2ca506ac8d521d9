"""Every operation of the OpenAPI document, asked for in every wrong way by every kind of key: no fault of ours.

A bounded run; `python -m bench.attack --long` takes three seeds and all phases.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.postgres.engine import DatabaseUrls
from bench.attack.fuzz import fuzz
from tests.e2e.server import Server, serving

OPERATOR = "operator-token-of-thirty-two-letters"


@pytest.fixture(scope="module")
async def server(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    limits = {
        f"WHYLEFT_{name}": "0"
        for name in ("OPERATION_REQUESTS_PER_SECOND", "KEY_REQUESTS_PER_SECOND", "OPERATIONS_AT_ONCE")
    }
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    async with serving(database_urls, folder, WHYLEFT_OPERATOR_TOKEN=OPERATOR, **limits) as server:
        yield server


async def keys(server: Server) -> dict[str, str]:
    """One key of each kind."""
    found = {"write": await server.key("write"), "admin": await server.key("secret"), "operator": OPERATOR}
    async with httpx.AsyncClient(base_url=server.url) as client:
        for role in ("editor", "reader"):
            headers = {"authorization": f"Bearer {found['admin']}"}
            made = await client.post("/v1/keys", headers=headers, json={"kind": "secret", "role": role})
            assert made.status_code == 201, made.text
            found[role] = made.json()["key"]
    return found


async def test_no_key_finds_a_fault_in_any_operation(server: Server) -> None:
    few = asyncio.Semaphore(3)

    async def attack(kind: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with few:
            found = await fuzz(server.url, headers, seed=7, examples=2 if kind == "admin" else 1, phases=["fuzzing"])
        assert found.operations > 100, kind
        assert found.cases > 100, kind
        assert found.faults == (), kind

    await asyncio.gather(*(attack(kind, key) for kind, key in {**await keys(server), "none": ""}.items()))
