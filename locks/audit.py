"""Looks every locked package up among known vulnerabilities: ``python -m locks.audit``. Exit code 1 when there is one.

Where the advisories cannot be reached nothing is known, and it says so instead of failing: a build that needs somebody
else's server to be up is none. Before a release that is not enough: with ``--whole`` what was not audited fails, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locks.bill import NODE

ROOT = Path(__file__).parent.parent
LOCKS = ("locks/run.txt", "locks/dev.txt", "locks/peers.txt", "locks/obp.txt")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a lock. ``asked``: packages that an advisory service answered for; ``unknown``: of how many it
    did not. ``ran``: whether what asks them gave an answer at all."""

    lock: str
    asked: int
    found: tuple[str, ...]
    unknown: int = 0
    ran: bool = True

    @property
    def sentence(self) -> str:
        """For whoever reads the build."""
        if self.found:
            return f"{self.lock}: {len(self.found)} known vulnerabilities: {'; '.join(self.found)}"
        if not self.ran:
            return f"{self.lock}: NOT audited, what asks for advisories gave no answer: run it by hand to see why."
        if not self.asked:
            return f"{self.lock}: NOT audited, the advisories cannot be reached."
        rest = f"; {self.unknown} more NOT audited" if self.unknown else ""
        return f"{self.lock}: {self.asked} packages, no known vulnerability{rest}."


def of_python(lock: str, output: str) -> Verdict:
    """Reads what ``pip-audit --format json`` printed."""
    document = _json(output)
    found, asked, unknown = [], 0, 0
    for package in document.get("dependencies", ()):
        if "skip_reason" in package:
            unknown += 1
            continue
        asked += 1
        for vulnerability in package.get("vulns", ()):
            fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
            found.append(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    return Verdict(lock, asked, tuple(found), unknown, ran="dependencies" in document)


def of_node(lock: str, output: str) -> Verdict:
    """Reads what ``npm audit --json`` printed."""
    document = _json(output)
    if "metadata" not in document:
        return Verdict(lock, 0, (), ran="message" in document or "error" in document)
    found = tuple(f"{name}: {entry.get('severity')}" for name, entry in document.get("vulnerabilities", {}).items())
    return Verdict(lock, int(document["metadata"]["dependencies"]["total"]), found)


def _json(output: str) -> Mapping[str, Any]:
    start = output.find("{")
    try:
        document = json.loads(output[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _run(command: list[str], folder: Path) -> str:
    try:
        return subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def main(arguments: Sequence[str] = ()) -> int:
    """Audits every lock. ``arguments``: "--whole" or nothing."""
    verdicts = []
    for lock in LOCKS:
        command = ["pip_audit", "--disable-pip", "--require-hashes", "-r", lock, "--timeout", "10"]
        options = ["--progress-spinner", "off", "--format", "json"]
        verdicts.append(of_python(lock, _run([sys.executable, "-m", *command, *options], ROOT)))
    for lock in NODE:
        verdicts.append(of_node(lock, _run(["npm", "audit", "--json"], (ROOT / lock).parent)))
    for verdict in verdicts:
        sys.stdout.write(f"{verdict.sentence}\n")
    left_out = "--whole" in arguments and any(verdict.unknown or not verdict.asked for verdict in verdicts)
    return 1 if left_out or any(verdict.found for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
