"""The page about the HTTP API: whole, of one piece, and readable without the rest of the internet."""

from __future__ import annotations

import re

import pytest

from insights.access.roles import Role
from insights.api.reference.page import write_page
from insights.api.reference.shapes import bounds, prose, type_of
from tests.api.conftest import Api


async def test_every_operation_and_every_shape_is_on_it_and_no_link_leads_nowhere(api: Api) -> None:
    page = (await api.client.get("/docs")).raise_for_status().text
    document = (await api.client.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f'<span class="method">{method.upper()}</span>{path}</h3>' in page
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert {f"shape-{name}" for name in document["components"]["schemas"]} <= set(anchors)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)
    assert set(re.findall(r'(?:href|src)="([^#"][^"]*)"', page)) == {"/openapi.json", "/app/"}
    assert "Needs a secret key, admin or more." in page
    assert "Needs a write key, or a secret key of an editor." in page


async def test_every_shape_has_a_name_of_its_own(api: Api) -> None:
    """Who has a client generated gets one class for all shapes of one name, and no call that needs the others."""
    schemas = (await api.client.get("/openapi.json")).json()["components"]["schemas"]
    titles = [shape.get("title", name) for name, shape in schemas.items()]
    assert sorted(titles) == sorted(set(titles))
    assert [name for name in schemas if "__" in name] == []


def test_what_a_shape_takes_is_said_in_words() -> None:
    maybe = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    assert type_of(maybe) == "string (uuid) or null"
    assert type_of({"type": "array", "items": {"$ref": "#/components/schemas/A"}}) == (
        'list of <a href="#shape-A">A</a>'
    )
    assert type_of({"type": "object", "additionalProperties": {"type": "integer"}}) == "object of integer"
    assert type_of({"enum": ["a", 1]}) == "<code>&#34;a&#34;</code> | <code>1</code>"
    assert bounds({"type": "integer", "minimum": 1, "default": 50}) == "<code>50</code> unless given, at least 1"
    assert bounds({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}) == "9 characters at most"


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "`<b>`"])
def test_descriptions_are_text(words: str) -> None:
    document = {
        "info": {"title": words, "description": words},
        "paths": {"/x": {"get": {"description": words, "responses": {"200": {"description": words}}}}},
        "components": {"schemas": {"A": {"description": words, "type": "string", "pattern": words}}},
    }
    page, _ = write_page(document, {"GET /x": Role.READER}, "https://why.example/under/")
    assert "<script" not in page and "<b>" not in page
    assert "'https://why.example/under/v1/sessions?limit=5'" in page
    assert prose("See ``next``.\n\nMore.") == "<p>See <code>next</code>.</p><p>More.</p>"
