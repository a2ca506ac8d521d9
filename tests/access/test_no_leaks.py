"""Every operation, with another project's ids: nothing is told, nothing is changed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from insights.access.operations import NEEDS, Door
from insights.access.roles import Role
from tests.access.conftest import Next
from tests.access.neighbour import Neighbour
from tests.access.openapi import Operation, operations
from tests.api.conftest import Api

NOT_A_PROJECTS = {"starter": "remind"}
"""Parameters that name nothing of a project."""


class HowToSeed(AssertionError):
    """The test does not know what another project's value would be."""


class Asking:
    """Fills in an operation with the ids of a project."""

    def __init__(self, document: dict[str, Any], has: Neighbour) -> None:
        self._schemas = document.get("components", {}).get("schemas", {})
        self._known = has.parameters | NOT_A_PROJECTS

    def path(self, operation: Operation) -> str:
        return operation.url({name: self._value(operation, name) for name in operation.parameters})

    def query(self, operation: Operation) -> dict[str, str]:
        found = {}
        for parameter in operation.document.get("parameters", []):
            name = parameter["name"]
            if parameter["in"] == "query" and name not in ("key", "cursor", "before"):
                if name in self._known:
                    found[name] = self._known[name]
                elif self._is_id(parameter["schema"]):
                    found[name] = self._value(operation, name)
        return found

    def body(self, operation: Operation) -> Any:
        content = operation.document.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        # Names of something new: whoever makes it has it, and would find their own afterwards.
        known, self._known = self._known, {name: value for name, value in self._known.items() if name != "name"}
        try:
            return None if schema is None else self._filled(operation, "", schema, 0)
        finally:
            self._known = known

    def _filled(self, operation: Operation, name: str, schema: dict[str, Any], depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        if self._is_id(schema):
            return self._value(operation, name)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            wanted = set(schema.get("required", ())) | (set(schema.get("properties", {})) & set(self._known))
            return {
                one: self._filled(operation, one, schema["properties"][one], depth + 1)
                for one in sorted(wanted)
                if one in schema.get("properties", {}) and depth < 6
            }
        if kind == "array":
            return (
                [self._filled(operation, name, schema["items"], depth + 1)] if "items" in schema and depth < 6 else []
            )
        if kind == "string":
            return self._known.get(name, "x" * max(1, schema.get("minLength", 1)))
        if kind in ("integer", "number"):
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return kind == "boolean" or {}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while True:
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rsplit("/", 1)[1]]
            elif "anyOf" in schema:
                schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
            elif len(schema.get("allOf", ())) == 1:
                schema = schema["allOf"][0]
            else:
                return schema

    def _is_id(self, schema: dict[str, Any]) -> bool:
        return bool(self._resolved(schema).get("format") == "uuid")

    def _value(self, operation: Operation, name: str) -> str:
        if name in self._known:
            return self._known[name]
        if name == "id":
            return str(uuid4())  # of something new
        raise HowToSeed(
            f"{operation.name}: {name!r} is new here. If it names something of a project, say in `fill` of "
            "tests/access/neighbour.py which row's; otherwise add it to NOT_A_PROJECTS in this file."
        )


async def asked(api: Api) -> tuple[dict[str, Any], list[Operation]]:
    """The document, and its operations that a project's key opens; what deletes comes last."""
    document = (await api.client.get("/openapi.json")).json()
    found = [
        operation
        for operation in operations(document)
        if isinstance(NEEDS[operation.name], Role) or NEEDS[operation.name] is Door.EVENTS
    ]
    order = {"GET": 0, "POST": 1, "PATCH": 2, "PUT": 2, "DELETE": 3}
    return document, sorted(found, key=lambda operation: order[operation.method])


async def test_no_operation_tells_or_changes_anything_of_another_project(api: Api, next_door: Next) -> None:
    document, every = await asked(api)
    asking = Asking(document, next_door.has)
    before = await next_door.looks()
    assert sum(digest != "d41d8cd98f00b204e9800998ecf8427e" for digest in before.values()) == len(before), (
        "the project next door has nothing in "
        + ", ".join(table for table, digest in before.items() if digest == "d41d8cd98f00b204e9800998ecf8427e")
    )
    tried = 0
    for operation in every:
        url, query, body = asking.path(operation), asking.query(operation), asking.body(operation)
        answer = await api.client.request(operation.method, url, params=query, json=body, headers=api.headers)
        said = f"{answer.text} {dict(answer.headers)}"
        sent = f"{url} {query} {body}"
        for secret in next_door.has.secrets:
            assert secret not in said or secret in sent, f"{operation.name} tells {secret}: {answer.text[:500]}"
        assert next_door.has.word not in said, f"{operation.name}: {answer.text[:500]}"
        assert answer.status_code < 500, f"{operation.name}: {answer.text[:500]}"
        if set(operation.parameters) - set(NOT_A_PROJECTS):
            assert answer.status_code >= 400 or operation.name in EMPTY_IS_FINE, (
                f"{operation.name}: {answer.text[:500]}"
            )
        now = await next_door.looks()
        changed = {table for table in now if now[table] != before[table]}
        assert not changed, f"{operation.name} changed {changed} of another project"
        tried += 1
    assert tried > 90


async def test_a_place_in_another_projects_lists_leads_to_nothing_of_it(api: Api, next_door: Next) -> None:
    _, every = await asked(api)
    tried = 0
    for operation in every:
        named = {parameter["name"] for parameter in operation.document.get("parameters", ())}
        by = next(iter(named & {"cursor", "before"}), None)
        if operation.method != "GET" or operation.parameters or by is None:
            continue
        try:
            theirs = await api.client.get(operation.path, params={"limit": 1}, headers=next_door.headers)
        except ValueError:
            continue  # too made up to be shown
        if theirs.status_code != 200 or (place := theirs.json().get("next")) is None:
            continue
        answer = await api.client.get(operation.path, params={by: place}, headers=api.headers)
        assert answer.status_code in (200, 400), f"{operation.name}: {answer.text[:300]}"
        assert not [secret for secret in next_door.has.secrets if secret in answer.text], operation.name
        tried += 1
    assert tried >= 3


EMPTY_IS_FINE = {
    "DELETE /v1/segments/{name}/visitors/{visitor}",
    "POST /v1/tickets/{fingerprint}/fixed",
}
"""Operations that say "nothing" of what is not there, instead of 404."""


async def test_the_project_itself_finds_what_the_other_did_not(api: Api, next_door: Next) -> None:
    """Or the test above would prove nothing: a row that nobody finds does not leak."""
    document, every = await asked(api)
    asking = Asking(document, next_door.has)
    lost = []
    for operation in every:
        if operation.method == "GET" and set(operation.parameters) - set(NOT_A_PROJECTS):
            try:
                answer = await api.client.get(asking.path(operation), headers=next_door.headers)
            except ValueError:
                continue  # found, and too made up to be shown
            if answer.status_code != 200:
                lost.append(f"{operation.name}: {answer.status_code} {answer.text[:300]}")
    assert not lost, "\n".join(lost)
