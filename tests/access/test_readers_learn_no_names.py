"""Everything that a reader may ask for, of a shop where every personal column holds somebody's words: none come back.

The columns are those that are sealed (``adapters/postgres/personal``), the operations those of the OpenAPI document,
the pages those of the viewer's routes: a new one is looked at without being named here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import update

from adapters.postgres.base import Base
from adapters.postgres.personal import PersonalBytes, PersonalJson, PersonalText
from flows.models import FlowRun
from insights.access.keys import make_key
from insights.access.operations import NEEDS
from insights.access.roles import Role
from insights.app import create_app
from insights.decisions.entries import Entry
from insights.reports.advice import AggregateAction
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from tests.access.neighbour import Neighbour, fill
from tests.access.test_no_leaks import Asking, asked
from tests.api.conftest import Api
from tests.viewer.conftest import log_in
from tests.viewer.furnish import WORDS
from tests.viewer.tour import pages

ADDRESS: Final = "ada.lovelace@people.example"
NUMBER: Final = "+4917112345678"
USER_ID: Final = "customer-181599"
TYPED: Final = "Countess of Nowhere"
CANARIES: Final = ("lovelace", "12345678", "181599", "Countess", "Augusta")
"""A part of each that no mask leaves."""

TRAITS: Final[dict[str, Any]] = {"email": ADDRESS, "phone": NUMBER, "first_name": "Augusta", "title": TYPED}
REFUSED: Final = f"550 5.1.1 <{ADDRESS}> {NUMBER}: there is nobody of this name"

SEALED: Final = ((PersonalText, ADDRESS), (PersonalJson, TRAITS), (PersonalBytes, TYPED.encode()))
"""What stands in a personal column of this kind."""

OURS: Final = Entry("Free delivery", LiveAction.FREE_SHIPPING_BANNER, "banner", WORDS, (Stage.BROWSER,))

QUOTED: Final[dict[str, dict[str, Any]]] = {
    "visitor": {"user_id": USER_ID, "email": ADDRESS, "phone": NUMBER, "traits": TRAITS},
    "delivery": {"error": REFUSED, "status": "unknown", "fate": None, "content": {"text": f"Dear Augusta, {TYPED}"}},
    "delivery_event": {"detail": REFUSED},
    "identity_link": {
        "subject_kind": "user_id",
        "subject": USER_ID,
        "name_kind": "email",
        "name": ADDRESS,
        "refused": "two_users",
        "refused_users": [USER_ID, ADDRESS],
    },
    "privacy_request": {"who": {"emails": [ADDRESS], "user_ids": [USER_ID]}},
    "provider_erasure": {"who": {"emails": [ADDRESS], "phones": [NUMBER], "user_ids": [USER_ID]}, "said": REFUSED},
    "push_subscription": {"address": f"https://push.example/{ADDRESS}"},
    "rejected_event": {"error": REFUSED, "raw": TYPED.encode()},
    # These quote, though they are not sealed: why a branch led where it did.
    "run_event": {"detail": f'then: visitor.trait("title") is "{TYPED}"; visitor.trait("phone") is "{NUMBER}"'},
    "channel": {"last_error": REFUSED, "failures": 1},
    # What no page could show, made up by rule.
    "flow_policy": {"caps": [], "quiet_hours": None},
    "live_action": {"action": OURS.action, "definition": msgspec.to_builtins(OURS)},
    "pattern": {
        "end_reason": None,
        "reason": "technical_error",
        "also": [],
        "session_ids": [],
        "action": AggregateAction.FIX_ERROR,
    },
}
"""Columns whose words are of a kind."""

NEEDS_MORE: Final = frozenset(
    (
        "GET /v1/push/key",
        "POST /v1/conditions/check",
        "POST /v1/flows/step-through",
        "POST /v1/messages/preview",
    )
)
"""Operations that a body or a row made up by rule does not satisfy: what they tell is in ``test_names_for_readers``."""


async def settle(api: Api) -> tuple[Neighbour, dict[str, list[str]]]:
    """A row in each table, with somebody's words in each personal column; and what the pages' parameters may be."""
    said: dict[str, dict[str, Any]] = {}
    for table in Base.metadata.sorted_tables:
        sealed = {column.name: words for column in table.c for kind, words in SEALED if isinstance(column.type, kind)}
        said[table.name] = sealed | QUOTED.get(table.name, {})
    has = await fill(api.services.database, api.project_id, furnished=True, said=said)
    group = f"session:{has.ids['session']}"
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(FlowRun).where(FlowRun.project_id == api.project_id).values(trigger_group=group))
    batch = api.batch(
        api.event("page_viewed", {"url": "https://shop.example/", "path": "/"}, url="https://shop.example/"),
        api.event("form_field", {"form": "f", "field": "name", "kind": "text", "value": TYPED}),
        api.event("identified", {"user_id": USER_ID, "email": ADDRESS, "phone": NUMBER, "traits": TRAITS}),
    )
    assert (await api.send(batch)).status_code == 200
    known = {
        "session_id": [has.parameters["session_id"], batch["session"], str(uuid4())],
        "visitor_id": [has.parameters["visitor_id"], batch["visitor"], str(uuid4())],
        "flow_id": [has.parameters["flow_id"]],
        "pattern_id": [has.parameters["pattern_id"]],
        "policy_id": [has.parameters["policy_id"]],
        "segment": [has.parameters["segment"]],
        "entry": ["trust_card", has.parameters["entry_id"]],
    }
    return has, known


def learned(text: str) -> list[str]:
    return [one for one in CANARIES if one in text]


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a reader's key. What a made-up row breaks arrives as 500, as it does for people."""
    async with api.services.database.transaction(api.project_id) as tx:
        _, key = make_key(tx, api.project_id, "secret", role=Role.READER)
    transport = httpx.ASGITransport(create_app(api.services), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
        yield client


async def test_no_operation_tells_a_reader_whose_words_they_are(api: Api, reader: httpx.AsyncClient) -> None:
    has, known = await settle(api)
    document, every = await asked(api)
    told: dict[str, list[str]] = {}
    answered = set()
    for session, visitor in zip(known["session_id"], known["visitor_id"], strict=True):
        has.parameters.update(session=session, session_id=session, visitor=visitor, visitor_id=visitor)
        asking = Asking(document, has)
        for operation in every:
            if NEEDS[operation.name] is not Role.READER:
                continue
            for query in ({}, asking.query(operation)):
                answer = await reader.request(
                    operation.method, asking.path(operation), params=query, json=asking.body(operation)
                )
                answered |= {operation.name} if answer.status_code == 200 else set()
                if found := learned(answer.text):
                    told[operation.name] = found
    assert told == {}
    assert not {name for name in NEEDS if NEEDS[name] is Role.READER} - answered - NEEDS_MORE


async def test_no_page_tells_a_reader_whose_words_they_are(api: Api, reader: httpx.AsyncClient) -> None:
    _, known = await settle(api)
    assert (await log_in(reader, reader.headers["authorization"].removeprefix("Bearer "))).status_code == 303
    told: dict[str, list[str]] = {}
    seen = 0
    for path in pages(create_app(api.services), known):
        page = await reader.get(f"/app{path}")
        seen += page.status_code == 200
        assert page.status_code < 500, (path, page.text[:500])
        if found := learned(page.text):
            told[path] = found
    assert told == {}
    assert seen > 30


async def test_a_reader_finds_nobody_by_a_name_or_a_part_of_it(api: Api, reader: httpx.AsyncClient) -> None:
    """And an editor does."""
    _, known = await settle(api)
    session = known["session_id"][1]
    async with api.services.database.transaction(api.project_id) as tx:
        _, editor = make_key(tx, api.project_id, "secret", role=Role.EDITOR)
    for key, finds in ((reader.headers["authorization"].removeprefix("Bearer "), False), (editor, True)):
        reader.cookies.clear()
        assert (await log_in(reader, key)).status_code == 303
        for words in (ADDRESS, USER_ID, USER_ID[:10]):
            page = await reader.get("/app/sessions", params={"text": words})
            assert (session in page.text) == finds, (words, finds)
