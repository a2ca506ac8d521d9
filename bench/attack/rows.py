"""The rows of what must hold, and the tests that try to break each: a row without one fails the bench."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    """``tests``: what pytest is given. ``long``: left out of a short run."""

    name: str
    number: str
    tests: tuple[str, ...]
    long: bool = False


ROWS = (
    Row(
        "kill -9 worker between gate and provider",
        "sends lost or twice",
        ("tests/flows/test_interrupted_sends.py",),
        long=True,
    ),
    Row("database away in mid-flow", "runs lost", ("tests/flows/test_database_away.py",)),
    Row("Redis away or slow", "requests not served", ("tests/live/test_in_redis.py",), long=True),
    Row(
        "a model that hangs, drips, lies, refuses", "visits without an insight", ("tests/llm/test_model.py",), long=True
    ),
    Row("100 parallel uses of one code; codes guessed, mistyped, of others", "uses", ("tests/recovery/test_codes.py",)),
    Row(
        "1,000 parallel uses of one code; 1,000 fresh visitor ids on one cap",
        "given away too often",
        ("tests/attack/test_thousands.py",),
        long=True,
    ),
    Row("50 deciders on one budget", "overshoot", ("tests/api/test_live_actions.py",), long=True),
    Row("late, duplicated, reordered events", "other sessions", ("tests/late/test_sessions.py",), long=True),
    Row("keys: every operation by every role", "not refused", ("tests/access/test_role_matrix.py",)),
    Row(
        "names of customers, claimed with the public key in every dialect",
        "believed",
        ("tests/attack/test_claimed_names.py",),
    ),
    Row(
        "tenants: forced row-level security, roles, SET LOCAL",
        "leaks",
        ("tests/schema/test_migrations.py",),
    ),
    Row(
        "tenants: every operation and job with the ids of the project next door",
        "leaks",
        ("tests/access/test_no_leaks.py", "tests/access/test_jobs_keep_apart.py"),
    ),
    Row(
        "tenants: repeats, callbacks, webhooks, links, live lists of one at the other",
        "taken",
        ("tests/attack/test_between_tenants.py",),
    ),
    Row(
        "changes: every operation that makes one",
        "not noted",
        ("tests/access/test_every_change_is_noted.py", "tests/access/test_audit_log.py"),
    ),
    Row("origins: null, suffixes, subdomains", "reflected", ("tests/api/test_ingest.py",)),
    Row("flood, oversize, gzip bomb, deep, slow bodies", "let through", ("tests/traffic/test_gate.py",)),
    Row("seats, buckets, lines for each key and address", "let through", ("tests/traffic",), long=True),
    Row(
        "hypothesis on every parser: NUL, surrogates, huge numbers, NaN, odd clocks",
        "faults",
        ("tests/attack/test_parsers.py",),
    ),
    Row("hypothesis on every kind of channel", "faults", ("tests/channels/contract/test_kinds.py",), long=True),
    Row(
        "texts that a header, a path, a pattern or an archive takes for more",
        "taken",
        ("tests/attack/test_hostile_texts.py",),
    ),
    Row("texts that a spreadsheet takes for a formula", "calculated", ("tests/attack/test_csv_files.py",)),
    Row("SSRF: metadata, decimal, IPv6, redirects, rebinding", "connects", ("tests/channels/test_ssrf.py",)),
    Row("SSRF: model endpoints and webhooks", "connects", ("tests/channels/test_public_only.py",)),
    Row(
        "templates of customers: reach, multiply, nest, keep busy",
        "escapes",
        ("tests/recovery/test_templates.py", "tests/attack/test_templates_of_tenants.py"),
    ),
    Row(
        "requests with two ends, made-up hosts; texts in logs; files at rest",
        "taken",
        ("tests/attack/test_raw_requests.py", "tests/attack/test_log_lines.py", "tests/attack/test_files_at_rest.py"),
    ),
    Row("passwords: changed meanwhile, hashed for nobody, a crowd", "let in", ("tests/viewer/test_passwords.py",)),
    Row("XSS in the viewer", "fired", ("tests/viewer/test_hostile.py",), long=True),
    Row("XSS in the shop", "fired", ("tests/sdk/test_sdk_hostile.py",), long=True),
    Row("CSRF and logins", "not refused", ("tests/viewer/test_login.py",)),
    Row("webhooks in: tampered, replayed", "taken", ("tests/sources/test_webhooks.py",)),
    Row("callbacks of providers: tampered, replayed", "taken", ("tests/channels/test_provider_events.py",), long=True),
    Row("PII: canaries in tables, logs, prompts, spans; then erased", "hits", ("tests/privacy/test_canary.py",)),
    Row(
        "PII: in flows to every tool; at connected providers; sealed, kept for so long",
        "hits",
        ("tests/privacy",),
        long=True,
    ),
    Row(
        "erasing at every kind of provider, under every fault",
        "not as said",
        ("tests/channels/contract/test_erasing.py",),
        long=True,
    ),
    Row("prompt injections", "followed", ("tests/classification/test_injections.py",), long=True),
    Row("supply chain: pinned, hashed, no secret in the tree", "findings", ("tests/supply",)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row's tests."""

    tried: int
    broken: tuple[str, ...]


async def attempt(rows: Sequence[Row]) -> dict[Row, Outcome]:
    """Runs the tests of several rows in one process, and sorts what came of them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = [test for row in rows for test in row.tests]
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", *tests]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []  # noqa: S314  (our own)
    return {row: _outcome([case for case in cases if _is_of(row, case)]) for row in rows}


def _is_of(row: Row, case: ElementTree.Element) -> bool:
    place = str(case.get("classname")).replace(".", "/")
    return any(f"{place}/".startswith(test.removesuffix(".py") + "/") for test in row.tests)


def _outcome(cases: Sequence[ElementTree.Element]) -> Outcome:
    skipped = [case for case in cases if case.find("skipped") is not None]
    broken = [
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return Outcome(len(cases) - len(skipped), tuple(broken))
