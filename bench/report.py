"""How a bench says what it measured: a table for people, a file, and with --json one object on the last line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``value`` None: it was not measured, and ``unit`` says why.

    ``bar``: what it must reach; ``holds``: whether it does; ``n``: of how many trials; ``peer``: the same number of
    something else, measured in the same call.
    """

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    holds: bool | None = None
    n: int | None = None
    peer: Mapping[str, Any] | None = None


def report(bench: str, figures: Sequence[Figure]) -> None:
    """Prints the table and writes ``bench/results/BENCH.json``; with --json on the command line prints that as well."""
    _print(figures)
    result = {
        "bench": bench,
        "machine": machine(),
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": [_plain(figure) for figure in figures],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{bench}.json").write_text(json.dumps(result, indent=2) + "\n")
    if "--json" in sys.argv:
        print(json.dumps(result))


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _print(figures: Sequence[Figure]) -> None:
    width = max((len(figure.name) for figure in figures), default=0) + 2
    for figure in figures:
        value = "not run" if figure.value is None else f"{figure.value:,.10g}"
        line = f"{figure.name:<{width}}{value:>12} {figure.unit}"
        if figure.bar is not None:
            line += f"  (bar {figure.bar:,.10g}: {_verdict(figure)})"
        elif figure.holds is not None:
            line += f"  ({_verdict(figure)})"
        if figure.n is not None:
            line += f"  n={figure.n:,}"
        if figure.peer:
            line += "  " + ", ".join(f"{name} {what}" for name, what in figure.peer.items())
        print(line)


def _verdict(figure: Figure) -> str:
    return {True: "holds", False: "MISSED", None: "not judged"}[figure.holds]


def _plain(figure: Figure) -> dict[str, Any]:
    fields = {"name": figure.name, "value": figure.value, "unit": figure.unit}
    optional = {"bar": figure.bar, "holds": figure.holds, "n": figure.n, "peer": figure.peer}
    return fields | {name: value for name, value in optional.items() if value is not None}


def _commit() -> str | None:
    """The commit that was measured, marked when files differ from it; None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def option(name: str, otherwise: int) -> int:
    """The whole number that follows ``name`` on the command line."""
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else otherwise
