"""Writes the page about the HTTP API out of its OpenAPI document: every operation, who may ask for it, every shape."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from insights.access.operations import Door, Need
from insights.api.reference.shapes import Schema, bounds, prose, type_of

HERE = Path(__file__).parent
_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_DOORS: Final = {
    Door.ANYONE: "nothing: anybody may ask",
    Door.SIGNED: "a signature in the request itself",
    Door.EVENTS: "a write key, or a secret key of an editor",
    Door.OPERATOR: "the server's WHYLEFT_OPERATOR_TOKEN",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that an operation may give."""

    status: str
    description: str
    schema: Schema | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as the page shows it. ``needs``: who may ask for it, in words."""

    method: str
    path: str
    description: str
    needs: str
    parameters: list[dict[str, Any]]
    body: Schema | None
    answers: list[Answer]

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.method}{self.path}".lower()).strip("-")


def write_page(document: Mapping[str, Any], needs: Mapping[str, Need], address: str) -> tuple[str, str]:
    """The page, and the content policy to send with it: its own style by its hash, and nothing else.

    ``address``: where the server is, for the example.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"prose": prose, "type_of": type_of, "bounds": bounds}
    text = environment.get_template("page.html").render(
        info=document["info"],
        address=address.rstrip("/"),
        groups=_groups(document["paths"], needs),
        shapes=sorted(document["components"]["schemas"].items()),
    )
    style = base64.b64encode(hashlib.sha256(_STYLE.findall(text)[0].encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return text, policy


def _groups(paths: Mapping[str, Any], needs: Mapping[str, Need]) -> list[tuple[str, list[Operation]]]:
    """Name of a group → its operations, both in the document's order."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in paths.items():
        for method, said in methods.items():
            name = f"{method.upper()} {path}"
            group = said.get("tags", ["others"])[0]
            groups.setdefault(group, []).append(_operation(method.upper(), path, said, needs[name]))
    return list(groups.items())


def _operation(method: str, path: str, said: Mapping[str, Any], need: Need) -> Operation:
    return Operation(
        method=method,
        path=path,
        description=said.get("description", ""),
        needs=_DOORS[need] if isinstance(need, Door) else f"a secret key, {need} or more",
        parameters=said.get("parameters", []),
        body=_schema(said.get("requestBody", {})),
        answers=[Answer(status, one["description"], _schema(one)) for status, one in said["responses"].items()],
    )


def _schema(said: Mapping[str, Any]) -> Schema | None:
    return next((one["schema"] for one in said.get("content", {}).values() if "schema" in one), None)
