"""Every operation that changes something leaves a note of who did it; the list is taken from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.postgres.acting import Actor, acting
from adapters.postgres.base import Base
from adapters.postgres.personal import PREFIX
from adapters.postgres.reseal import reseal
from insights.access import members
from insights.access.operations import NEEDS, Door
from insights.access.roles import Role
from insights.models import PrivacyRequest
from insights.privacy import requests
from insights.privacy.retention import retain
from insights.vocabulary.ids import uuid7
from tests.access.conftest import Next
from tests.access.neighbour import PLAN
from tests.access.test_no_leaks import Asking, asked
from tests.api.conftest import Api

WORDS: Final = {"locales": {"en": {"subject": "Hello {{ first_name }}!", "html": "<p>{{ shop }}</p>", "text": "Hi."}}}
LIVE_ACTION: Final = {
    "name": "ten", "action": "discount_popup", "template": "popup", "stages": ["cart_adder"],
    "content": {"default": {"title": "{percent} % for you", "body": "Your code is {code}."}},
    "incentive": {"percent": 10},
}  # fmt: skip

BODIES: Final[Mapping[str, Any]] = {
    "POST /v1/sources": {"provider": "generic", "name": "y"},
    "POST /v1/visitors/{visitor}/tags": {"set": ["x"]},
    "POST /v1/flows": {"definition": PLAN | {"name": "another"}},
    "POST /v1/flows/import": {"file": {"format": "whyleft-flow", "version": 1, "flow": PLAN | {"name": "imported"}}},
    "POST /v1/deliveries/{delivery_id}/settle": {"arrived": True},
    "POST /v1/messages": {"name": "fine", "content": WORDS},
    "PUT /v1/messages/{name}": {"content": WORDS},
    "PUT /v1/flows/{flow_id}": {"definition": PLAN | {"name": "better"}},
    "POST /v1/live-actions": LIVE_ACTION,
    "PUT /v1/live-actions/{entry_id}": LIVE_ACTION | {"name": "eleven"},
    "POST /v1/channels": {
        "kind": "slack", "name": "team", "settings": {"channel": "C0123456789"},
        "credentials": {"bot_token": "xoxb-123456789"},
    },
    "PATCH /v1/channels/{channel_id}": {"enabled": True},
    "POST /v1/subscriptions": {"channel": "email", "address": "owner@shop.example"},
    "POST /v1/members/invitations": {"email": "new@shop.example", "role": "reader"},
    "PATCH /v1/shop": {"currency": "EUR", "contact_href": "/contact", "holdout": 0.1},
    "PATCH /v1/privacy/settings": {"keep_days": 400},
    "PATCH /v1/settings/insights": {"language": "German"},
    "PATCH /v1/keys/{key_id}": {"name": "other"},
    "PATCH /v1/identity": {"mode": "observe"},
    "PATCH /v1/project": {"name": "other"},
    "PATCH /v1/members/{member_id}": {"role": "editor"},
}  # fmt: skip
"""Where a made-up body is refused, or changes nothing."""

BEFORE: Final[Mapping[str, Sequence[str]]] = {
    "POST /v1/deliveries/{delivery_id}/settle": ["UPDATE delivery SET status = 'unknown', fate = NULL"],
    "POST /v1/flows/{flow_id}/start": [
        """UPDATE flow_version SET definition = jsonb_set(definition, '{trigger}', '{"on": "api"}')""",
        "UPDATE flow SET version_id = (SELECT max(v.id::text)::uuid FROM flow_version v WHERE v.flow_id = flow.id)",
    ],
    "POST /v1/runs/dead/replay": ["UPDATE flow_run SET status = 'dead', step = 'pause'"],
    "POST /v1/runs/{run_id}/replay": ["UPDATE flow_run SET status = 'dead', step = 'pause'"],
    "POST /v1/runs/{run_id}/cancel": ["UPDATE flow_run SET status = 'waiting', end_reason = NULL"],
}
"""What must be so for there to be something to change."""

ANOTHER: Final[Mapping[str, tuple[str, str]]] = {
    "DELETE /v1/keys/{key_id}": ("POST /v1/keys", "id"),
    "POST /v1/messages/{name}/publish": ("POST /v1/messages", "name"),
    "DELETE /v1/segments/{name}": ("POST /v1/segments", "name"),
}
"""Operation → which earlier one made what it is tried on, and what of its answer names it."""

CHANGES_NOTHING_OF_THE_PROJECT: Final = "it looks, or tries out"
HAPPENED: Final = "what happened in the shop, taken in once more"
NOT_NOTED: Final[Mapping[str, str]] = {
    "POST /v1/segments/preview": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/conditions/check": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/flows/validate": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/flows/preview": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/flows/step-through": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/flows/test-send": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/messages/validate": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/messages/preview": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/messages/test": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/channels/{channel_id}/test": CHANGES_NOTHING_OF_THE_PROJECT,
    "POST /v1/patterns/look": "looks at once for what is looked for every hour",
    "POST /v1/rejected/replay": HAPPENED,
    "POST /v1/rejected/{rejected_id}/replay": HAPPENED,
    "POST /v1/sessions/{session_id}/close": "an event of the shop, as the browser sends it",
    "POST /v1/policies/rollback": "needs rewards: tests/api/test_policies.py; its table is noted",
    "POST /v1/policies/{policy_id}/promote": "needs rewards: tests/api/test_policies.py; its table is noted",
    "POST /v1/codes/{code}/redeem": "needs a code that was given out: tests/recovery/test_codes.py; its table is noted",
}


async def _second_admin(api: Api, next_door: Next) -> None:
    """Or the only one could neither be changed nor taken out."""
    now = datetime.now(UTC)
    async with api.services.database.transaction(next_door.has.project_id) as tx:
        _, link = await members.invite(tx, next_door.has.project_id, "second@shop.example", Role.ADMIN, now)
    async with api.services.database.transaction(None) as tx:
        invitation, _ = await members.invitation_of(tx, link, now)
        await members.accept(tx, invitation, None, now)


ONCE_MORE: Final = frozenset(
    f"POST /v1/flows/{{flow_id}}/{verb}" for verb in ("publish", "pause", "resume", "archive", "restore")
) | {"POST /v1/sessions/{session_id}/feedback", "POST /v1/visitors/{visitor}/tags"}
"""What changes nothing the second time, beside every PUT, PATCH and DELETE."""


async def _notes(connection: AsyncConnection, project: Any) -> dict[int, str]:
    rows = await connection.execute(
        text("SELECT id, subject, subject_id FROM audit_entry WHERE project_id = :project AND actor_kind = 'key'"),
        {"project": project},
    )
    return {int(row.id): f"{row.subject} {row.subject_id}" for row in rows}


async def test_every_operation_that_changes_something_leaves_a_note(api: Api, next_door: Next) -> None:
    document, every = await asked(api)
    asking, project = Asking(document, next_door.has), next_door.has.project_id
    await _second_admin(api, next_door)
    starters = (await api.client.get("/v1/flows/starters", headers=next_door.headers)).json()["starters"]
    made: dict[str, Any] = {}
    wrong: list[str] = []
    tried = 0
    async with next_door.owner.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for operation in every:
            if operation.method == "GET" or NEEDS[operation.name] is Door.EVENTS or operation.name in NOT_NOTED:
                continue
            for prepared in BEFORE.get(operation.name, ()):
                await connection.execute(text(f"{prepared} WHERE project_id = :project"), {"project": project})
            path = asking.path(operation).replace("/starters/remind", f"/starters/{starters[0]['name']}")
            if operation.name in ANOTHER:
                by, name = ANOTHER[operation.name]
                path = operation.url({operation.parameters[0]: str(made[by][name])})
            body = BODIES.get(operation.name, asking.body(operation))
            before = await _notes(connection, project)
            answer = await api.client.request(operation.method, path, json=body, headers=next_door.headers)
            said = f"{operation.name}: {answer.status_code} {answer.text[:200]}"
            if answer.status_code >= 400:
                wrong.append(f"was not done, say in BODIES how it is: {said}")
            after = await _notes(connection, project)
            new = [after[note] for note in after.keys() - before.keys()]
            if answer.status_code < 400 and not new:
                wrong.append(f"left no note, add a trigger or say in NOT_NOTED why not: {said}")
            if len(new) != len(set(new)):
                wrong.append(f"left more than one note of one thing: {said} {sorted(new)}")
            if operation.method in ("PUT", "PATCH", "DELETE") or operation.name in ONCE_MORE:
                await api.client.request(operation.method, path, json=body, headers=next_door.headers)
                if more := (await _notes(connection, project)).keys() - after.keys():
                    wrong.append(f"done again, it left another note: {operation.name} {len(more)}")
            if answer.status_code == 201:
                made[operation.name] = answer.json()
            tried += 1
    assert wrong == [], "\n".join(wrong)
    assert tried > 40


async def test_what_is_said_to_need_no_note_is_an_operation(api: Api) -> None:
    _, every = await asked(api)
    said = {*NOT_NOTED, *BODIES, *BEFORE, *ANOTHER, *ONCE_MORE}
    assert said <= {operation.name for operation in every}


@pytest.mark.parametrize("word", ["delivery", "insight", "flow_run"])
async def test_what_the_process_does_of_itself_leaves_none(api: Api, next_door: Next, word: str) -> None:
    project = next_door.has.project_id
    change = {"delivery": "fate = 'bounced'", "insight": "reason = 'urgency'", "flow_run": "end_reason = 'bought'"}
    async with api.services.database.transaction(project) as tx:
        count = text("SELECT count(*) FROM audit_entry")
        before = await tx.scalar(count)
        await tx.execute(text(f"UPDATE {word} SET {change[word]}"))  # noqa: S608  (our own words)
        assert await tx.scalar(count) == before


async def _noted(api: Api, next_door: Next, work: Awaitable[object]) -> list[tuple[str, str]]:
    """What was noted of ``work``, which an operator had done: the subject, and whose doing it was."""
    asked = text("SELECT id, subject, actor_kind FROM audit_entry WHERE project_id = :project ORDER BY id")
    async with next_door.owner.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        before = {row.id for row in await connection.execute(asked, {"project": next_door.has.project_id})}
        with acting(Actor("operator", None, "somebody on the command line")):
            await work
        after = await connection.execute(asked, {"project": next_door.has.project_id})
        return [(row.subject, row.actor_kind) for row in after if row.id not in before]


async def _as_owner(next_door: Next, statement: str, **values: Any) -> None:
    async with next_door.owner.begin() as connection:
        await connection.execute(text(statement), {"project": next_door.has.project_id, **values})


async def test_whom_an_operator_has_erased_is_noted_as_the_request_and_not_row_by_row(
    api: Api, next_door: Next
) -> None:
    project, database = next_door.has.project_id, api.services.database
    who = {"visitors": [str(next_door.has.ids["visitor"])]}
    # It is of no kind that there is.
    await _as_owner(next_door, "DELETE FROM channel WHERE project_id = :project")

    async def erase() -> None:
        async with database.transaction(project) as tx:
            asked = await requests.ask(tx, project, "erase_person", who, "x", datetime.now(UTC))
        await requests.carry_out(database, lambda project_id, visitor_id: None)
        async with database.transaction(project) as tx:
            outcome = (await tx.get_one(PrivacyRequest, (project, asked))).outcome
        assert {"delivery", "insight", "visitor_tag", "discount_code", "segment_member"} <= set(outcome)

    noted = await _noted(api, next_door, erase())
    assert ("privacy request", "operator") in noted
    assert {subject for subject, _ in noted} <= {"privacy request", "erasure elsewhere"}


async def test_what_is_too_old_or_sealed_anew_is_nobodys_doing(api: Api, next_door: Next) -> None:
    project, database = next_door.has.project_id, api.services.database
    await _as_owner(next_door, "UPDATE suppression SET recipient = 'ada@shop.example' WHERE project_id = :project")
    listed = Base.metadata.tables["suppression"]
    noted = await _noted(api, next_door, reseal(database, project, listed, "recipient"))
    async with next_door.owner.connect() as connection:
        stands = await connection.scalar(
            text("SELECT recipient FROM suppression WHERE project_id = :p"), {"p": project}
        )
    assert str(stands).startswith(PREFIX) and noted == []
    long_ago = uuid7(int((datetime.now(UTC) - timedelta(days=90)).timestamp() * 1000))
    await _as_owner(next_door, "UPDATE privacy_setting SET keep_days = 30 WHERE project_id = :project")
    await _as_owner(next_door, "UPDATE insight SET session_id = :old WHERE project_id = :project", old=long_ago)
    counts: dict[str, int] = {}

    async def go() -> None:
        counts.update(await retain(database, 0, datetime.now(UTC)))

    assert await _noted(api, next_door, go()) == []
    assert counts["insight"] == 1
