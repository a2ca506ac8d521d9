"""Prints the bill of materials as CycloneDX 1.5 JSON, out of the locks alone: ``python -m locks.bill``.

What is listed is what is installed, with the hashes that the installer checks; nothing is asked of the network.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).parent
NODE = ("sdk-web/package-lock.json", "tests/dialects/node/package-lock.json")
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Package:
    """One locked package. ``hashes``: algorithm and value of each file that may be installed."""

    ecosystem: str
    name: str
    version: str
    hashes: tuple[tuple[str, str], ...]
    scope: str

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:{self.ecosystem}/{quote(self.name, safe='/')}@{quote(self.version)}"


def python_packages(lock: Path, scope: str) -> Iterator[Package]:
    """The packages of a lock with hashes. Raises ValueError for a line that pins nothing."""
    for entry in re.split(r"\n(?=\S)", lock.read_text()):
        if not entry.strip() or entry.startswith("#"):
            continue
        found = _PINNED.match(entry)
        if found is None:
            raise ValueError(f"{lock.name}: pins nothing: {entry.splitlines()[0]}")
        hashes = tuple(("SHA-256", value) for value in _HASH.findall(entry))
        yield Package("pypi", found["name"].lower().replace("_", "-"), found["version"], hashes, scope)


def node_packages(lock: Path) -> Iterator[Package]:
    """The packages of a package-lock.json; all of them build or test, none is shipped."""
    for path, entry in json.loads(lock.read_text())["packages"].items():
        if path and not entry.get("link"):
            integrity = tuple(part.split("-", 1) for part in entry.get("integrity", "").split())
            hashes = tuple((algorithm.upper().replace("SHA", "SHA-"), value) for algorithm, value in integrity)
            yield Package("npm", path.rpartition("node_modules/")[2], entry["version"], hashes, "excluded")


def packages(root: Path = HERE.parent) -> list[Package]:
    """Everything that is locked, each once: what runs is required, the tools beside it are excluded."""
    found: dict[str, Package] = {}
    every = [*python_packages(root / "locks/run.txt", "required"), *python_packages(root / "locks/dev.txt", "excluded")]
    for lock in NODE:
        every += node_packages(root / lock)
    for package in every:
        found.setdefault(package.purl, package)
    return sorted(found.values(), key=lambda package: package.purl)


def bill(root: Path = HERE.parent) -> dict[str, Any]:
    """The document."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "whyleft", "bom-ref": "whyleft"}},
        "components": [_component(package) for package in packages(root)],
    }


def _component(package: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "scope": package.scope,
    }
    if package.ecosystem == "pypi":
        component["properties"] = [{"name": "whyleft:sha256", "value": value} for _, value in package.hashes]
    return component


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
    sys.stdout.write("\n")
