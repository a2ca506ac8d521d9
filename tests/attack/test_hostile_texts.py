"""Texts that a header, a path, a pattern or an archive would take for more than text."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from adapters.channels.mail import MailInvalid, address
from insights.access.members import email_of
from insights.api.gate import Gate
from insights.api.ingest import Ingest
from insights.audit.lines import LONGEST_LINE, Lines
from insights.errors import Refused
from insights.events.kept import kept_json, kept_props, kept_url
from insights.identity import names
from insights.privacy.redact import mask, redact_path
from insights.recovery.links import Target
from tests.api.conftest import Api, api

__all__ = ["api"]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://shop.example/a\r\nSet-Cookie: x=1", "https://shop.example/a%0D%0ASet-Cookie:%20x=1"),
        ("https://shop.example/\r\n\r\n<script>", "https://shop.example/%0D%0A%0D%0A%3Cscript%3E"),
        ("https://shop.example/straße/€?q=ü", "https://shop.example/stra%C3%9Fe/%E2%82%AC?q=%C3%BC"),
        ("https://shop.example/a%20b?c=d&e=[f]#g", "https://shop.example/a%20b?c=d&e=[f]#g"),
    ],
)
async def test_what_stands_in_a_link_cannot_end_its_header(api: Api, url: str, location: str) -> None:
    """A product's name or page may stand in a mail's link: line breaks in it would be headers of their own."""
    token = api.services.composer.links.sign(Target("click", api.project_id, uuid4(), "mail", url), datetime.now(UTC))
    answer = await api.client.get(f"/v1/l/{token}")
    assert (answer.status_code, answer.headers["location"]) == (302, location)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/sdk/../pyproject.toml", "/sdk/%2e%2e/pyproject.toml", "/sdk/..%2fpyproject.toml",
        "/sdk/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/sdk//etc/passwd", "/sdk/..\\pyproject.toml", "/sdk/chunks/../../app.py", "/sdk/%00", "/sdk/a%00.js",
        "/app/static/../templates/base.html", "/app/static/%2e%2e/gate.py", "/app/static/..%5cgate.py",
    ],
)  # fmt: skip
async def test_only_files_of_the_script_are_served(api: Api, path: str) -> None:
    answer = await api.client.get(path)
    assert answer.status_code in (400, 404), (path, answer.status_code)
    for word in ("root:", "[project]", "from __future__", "{% block"):
        assert word not in answer.text


EVIL = (
    "a@" * 40_000, "a." * 40_000 + "@", "@" * 80_000, "+1 " * 30_000, "%40" * 30_000, "http://" * 12_000, "=" * 80_000,
    "a@b." * 20_000 + "!", " " * 80_000 + "x", "(((" * 25_000, "\\" * 80_000, "&#64;" * 15_000, "0" * 80_000,
    "a-" * 40_000, "passw" * 16_000, "&card" * 16_000, "passe" * 16_000 + "=", "pw%5d=\\" * 10_000,
)  # fmt: skip


@pytest.mark.parametrize("text", EVIL, ids=[word[:6] for word in EVIL])
def test_no_pattern_runs_away_on_a_text_made_for_it(text: str) -> None:
    """A pattern that tries every way to read it would take hours on one of these."""
    mask(text)
    redact_path(f"https://shop.example/{text}")
    kept_url(f"https://shop.example/?q={text}")
    kept_json(json.dumps(f"https://shop.example/?q={text}"))
    kept_props("searched", {"query": text})
    for read in (names.email, names.phone, names.user_id):
        read(text)


@pytest.mark.parametrize("inside", [b"\x00", b"[", b"a\n"])
def test_an_archive_that_unpacks_to_much_more_is_read_in_parts(tmp_path: Path, inside: bytes) -> None:
    bomb = tmp_path / "events.ndjson.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as out:
        for _ in range(100):
            out.write(inside * (1_000_000 // len(inside)))
    assert bomb.stat().st_size < 1_500_000
    tracemalloc.start()
    try:
        lines = 0
        for _number, line in Lines([bomb]).of(bomb):
            assert len(line) <= LONGEST_LINE
            lines += 1
            if lines >= 1_000:
                break
        assert tracemalloc.get_traced_memory()[1] < 6 * LONGEST_LINE
    finally:
        tracemalloc.stop()
    assert lines in (1, 1_000)


@pytest.mark.parametrize(
    "text",
    [
        "ad\u0430@example.org",
        "\uff41da@example.org",
        "\u212aim@example.org",
        "ada\u200b@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada@exam\r\nple.org",
        '"ada b"@example.org',
        "ada@a@example.org",
        "ada@[127.0.0.1]",
        "ada@example.org\x00",
        "<ada@example.org>",
        "ada@xn--\u0430.org",
    ],
)
def test_an_address_that_only_looks_like_anothers_is_none(text: str) -> None:
    with pytest.raises(Refused):
        email_of(text)
    with pytest.raises(MailInvalid):
        address(text)


@pytest.mark.parametrize("text", ["ada@\uff25XAMPLE.org", "Ada@exa\u00admple.org", "ada@exa\u200bmple.org"])
def test_one_mailbox_written_in_other_letters_is_one_to_the_suppression_list(text: str) -> None:
    assert address(text).lower() == "ada@example.org"


def test_a_domain_of_lookalike_letters_shows_that_it_is_one() -> None:
    assert email_of("ada@\u0430pple.com") == "ada@xn--pple-43d.com"


async def test_no_escape_in_a_cookie_reaches_who_reads_cookies(api: Api) -> None:
    """Python's own reading of them takes the square of their length; what stands beside them is read as ever."""
    seen: list[dict[str, str]] = []

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        seen.append(Request(scope).cookies)
        await PlainTextResponse("")(scope, receive, send)

    gate = Gate(cast(Ingest, pages), api.services.traffic, max_body_bytes=1_000, https=False)
    hostile = 'a="' + '\\"' * 1_000 + '"; login=A-b_1; b="\\101\\\\"'
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://whyleft.example") as client:
        answer = await client.get("/app/login", headers={"cookie": hostile})
    assert answer.status_code == 200
    assert seen == [{"a": '"' * 1_000, "login": "A-b_1", "b": "101"}]


@pytest.mark.parametrize(
    "text",
    [
        "a@b.cc+x@y.zz", "a@b.cc'x@y.zz", "a@b.cc@d.ee", "x" * 100 + "@b.cc", f"a@b.{'c' * 100}@d.ee",
        "a@b.c.d.e.f.g.h.i.j.k@z.ee", "a%40b%2ecc%40d.ee", f"{'a' * 63}@{'b' * 80}.cc",
    ],
)  # fmt: skip
def test_nothing_of_an_address_is_shown_by_another_beside_it_or_by_its_length(text: str) -> None:
    assert kept_url(f"https://shop.example/?to={text}&page=2") == "https://shop.example/?to=[email]&page=2"
