"""What is installed is pinned, hashed and listed; nothing that should be secret stands in the tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from locks import audit
from locks.audit import of_node, of_python
from locks.bill import NODE, bill, node_packages, packages, python_packages
from tests.tracked import tracked

SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{100,}"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "an OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9]{32,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "a Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a SendGrid key": re.compile(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    "a key of ours": re.compile(r"\bwl_[sw]_[A-Za-z0-9_-]{32}\b"),
    "a webhook secret": re.compile(r"\bwhsec_[A-Za-z0-9+/]{32,}={0,2}"),
    "a password in an address": re.compile(
        r"\b(?:postgres(?:ql)?|redis|smtps?)://[^\s:/@'\"{}]+:(?!password|secret|\$)[^\s@'\"{}…%]{12,}@"
    ),
}  # fmt: skip
MADE_UP = {
    # Keys of standards' own examples and of tests: they open nothing.
    "sk_live_51H8abcdEFGH1234ijkl",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def test_nothing_in_the_tree_looks_like_a_secret(repository: Path) -> None:
    found = []
    for path in tracked(repository):
        if not path.is_file() or path.suffix in (".png", ".jpg", ".woff2", ".gz") or path.stat().st_size > 3_000_000:
            continue
        said = path.read_text("utf-8", "replace")
        for what, pattern in SECRETS.items():
            found += [(str(path), what, hit[0][:60]) for hit in pattern.finditer(said) if hit[0] not in MADE_UP]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("an AWS key", "AKIA" + "Q" * 16),
        ("a GitHub token", "ghp_" + "a" * 36),
        ("a key of ours", "wl_s_" + "aB3" * 10 + "xy"),
        ("a password in an address", "postgresql://shop:" + "correcthorse1" + "@db/shop"),
    ],
)
def test_a_secret_would_be_seen(what: str, text: str) -> None:
    assert SECRETS[what].search(f'x = "{text}"')


def test_every_package_is_pinned_with_its_hashes_and_no_address_of_an_index_stands_in_a_lock(repository: Path) -> None:
    for name in ("run.txt", "dev.txt"):
        locked = list(python_packages(repository / "locks" / name, "required"))
        assert len(locked) > 50
        for package in locked:
            assert package.hashes, package.name
        assert not re.search(r"https?://|--(?:extra-)?index-url", (repository / "locks" / name).read_text())
    for lock in NODE:
        for package in node_packages(repository / lock):
            assert package.hashes, package.name


def test_the_bill_of_materials_lists_what_is_locked(repository: Path) -> None:
    document = bill(repository)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    purls = [component["purl"] for component in document["components"]]
    assert len(purls) == len(set(purls)) == len(packages(repository))
    scopes = {component["name"]: component["scope"] for component in document["components"]}
    assert (scopes["fastapi"], scopes["hypothesis"], scopes["esbuild"]) == ("required", "excluded", "excluded")
    json.dumps(document)


def test_an_audit_tells_a_vulnerability_from_an_advisory_service_that_is_away() -> None:
    clean = {"dependencies": [{"name": "a", "version": "1", "vulns": []}]}
    assert of_python("l", json.dumps(clean)).sentence == "l: 1 packages, no known vulnerability."
    bad = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]}
    assert of_python("l", json.dumps(bad)).found == ("a 1: CVE-1, fixed in 2",)
    away = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}
    for said in (json.dumps(away), "", "Traceback", "[1]"):
        assert "NOT audited" in of_python("l", said).sentence
    assert "cannot be reached" in of_python("l", json.dumps(away)).sentence
    assert "gave no answer" in of_python("l", "Traceback").sentence
    assert "cannot be reached" in of_node("l", '{"message": "405", "error": {}}').sentence
    assert "gave no answer" in of_node("l", "").sentence
    known = {"metadata": {"dependencies": {"total": 3}}, "vulnerabilities": {"x": {"severity": "high"}}}
    assert of_node("l", json.dumps(known)).found == ("x: high",)


CLEAN, AWAY = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("python", "node", "fails", "fails_whole"),
    [
        ([CLEAN], {}, False, False),
        ([CLEAN, AWAY], {}, False, True),
        ([CLEAN, BAD], {}, True, True),
        ([AWAY, BAD], {}, True, True),
        ([CLEAN], {"x": {"severity": "low"}}, True, True),
        (None, None, False, True),
    ],
)
def test_an_audit_fails_where_something_is_found_and_before_a_release_where_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, python: list[object] | None, node: dict[str, object] | None,
    fails: bool, fails_whole: bool,
) -> None:  # fmt: skip
    def answered(command: list[str], folder: Path) -> str:
        if "pip_audit" in command:
            return "" if python is None else json.dumps({"dependencies": python})
        known = {"metadata": {"dependencies": {"total": 3}}, "vulnerabilities": node}
        return "" if node is None else json.dumps(known)

    monkeypatch.setattr(audit, "_run", answered)
    assert bool(audit.main()) is fails
    assert bool(audit.main(["--whole"])) is fails_whole


def test_part_of_a_lock_that_no_service_knows_is_said() -> None:
    said = of_python("l", json.dumps({"dependencies": [CLEAN, AWAY]})).sentence
    assert said == "l: 1 packages, no known vulnerability; 1 more NOT audited."
