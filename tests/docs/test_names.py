"""What documents call by a name is called so in the code: operations, files, events, columns, metrics, log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from insights.access.operations import NEEDS
from insights.api.routers import ROUTERS

INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
OPERATION = re.compile(r"\b((?:GET|POST|PUT|PATCH|DELETE) )?(/v1/(?:[\w/-]|{[\w,]+})+)")
SNAKE = re.compile(r"(?<![\w/.-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/.-])")
FILE = re.compile(r"(?<![\w/.-])[\w-]+(?:/[\w.-]+)+/?")

OF_OTHERS = {
    # PostgreSQL, and what stands before it and beside it
    "auth_file", "commit_delay", "enable_unsafe_triggers", "open_datasync", "pg_authid", "pg_basebackup", "pg_promote",
    "propagate_set_commands", "server_tls_sslmode", "synchronous_standby_names", "target_session_attrs", "url_param",
    "wal_compression", "wal_sync_method",
    # a property that a shop may have in its CRM
    "last_left_reason",
}  # fmt: skip
OF_MODELS = {"/v1/batches", "/v1/chat/completions", "/v1/files"}
"""Addresses of language models, not ours."""


@pytest.fixture(scope="module")
def inline(pages: list[Path]) -> list[tuple[str, str]]:
    """Page and text of everything that stands in a sentence as code. What was called otherwise once may be told."""
    return [
        (page.name, text.replace("\n", " "))
        for page in pages
        if page.name != "CHANGELOG.md"
        for text in INLINE.findall(BLOCK.sub("", page.read_text()))
    ]


def without_names(path: str) -> str:
    """An operation's path whatever its parameters are called."""
    return re.sub(r"{\w*}", "{}", path)


def written_out(path: str) -> list[str]:
    """``/v1/{track,page}`` stands for two."""
    several = re.search(r"{(\w+(?:,\w+)+)}", path)
    return [path] if several is None else [path.replace(several[0], one) for one in several[1].split(",")]


def is_known(method: str, path: str, known: set[tuple[str, str]]) -> bool:
    """Whether it is an operation, or begins some of them; with a method, only where it ends in a slash."""
    if (method, path) in known:
        return True
    begins = path if path.endswith("/") else f"{path}/"
    return (not method or begins == path) and any(other.startswith(begins) or other == path for _, other in known)


def operations() -> Iterator[tuple[str, str]]:
    """Method and path of everything that the API answers, also what the OpenAPI document does not have."""
    for router in ROUTERS:
        for route in router.routes:
            yield from ((method, without_names(route.path)) for method in getattr(route, "methods", None) or ())
    for need in NEEDS:
        method, path = need.split()
        yield method, without_names(path)


def test_each_operation_that_a_document_names_is_one(inline: list[tuple[str, str]]) -> None:
    known = set(operations())
    named = [
        (page, method.strip(), without_names(path))
        for page, text in inline
        for method, written in OPERATION.findall(text)
        for path in written_out(written)
    ]
    assert len(named) > 80
    assert not [
        f"{page}: {method} {path}"
        for page, method, path in named
        if path not in OF_MODELS and not is_known(method, path, known)
    ]


def test_an_operation_that_is_none_would_be_seen() -> None:
    known = {("GET", "/v1/flows"), ("GET", "/v1/flows/{}")}
    assert is_known("GET", "/v1/flows/{}", known) and is_known("", "/v1/flows", known)
    assert not is_known("POST", "/v1/flows", known) and not is_known("", "/v1/flow", known)


def test_each_event_column_metric_and_log_line_that_a_document_names_is_in_the_code(
    inline: list[tuple[str, str]], files: list[Path], repository: Path
) -> None:
    folders = ("adapters", "examples", "flows", "insights", "migrations", "sdk-web")
    sources = [file for file in files if file.relative_to(repository).parts[0] in folders and file.suffix != ".md"]
    known = {word for file in sources for word in re.findall(r"\w+", file.read_text(errors="replace"))}
    named = {(page, word) for page, text in inline for word in SNAKE.findall(text)}
    assert len(named) > 300
    # Prometheus writes the name of a counter with an ending of its own.
    assert not [
        f"{page}: {word}"
        for page, word in sorted(named)
        if not {word, word.removesuffix("_total")} & known and word not in OF_OTHERS
    ]


def test_each_file_of_ours_that_a_document_names_is_there(inline: list[tuple[str, str]], repository: Path) -> None:
    roots = [repository / root for root in ("", "insights", "insights/viewer", "adapters")]
    first = {path.name for root in roots for path in root.iterdir() if path.is_dir()}
    named = {(page, path) for page, text in inline for path in FILE.findall(text) if path.split("/")[0] in first}
    assert len(named) > 100
    assert not [
        f"{page}: {path}"
        for page, path in sorted(named)
        if not any((root / path).exists() or (root / f"{path}.py").exists() for root in roots)
    ]
