"""Runs every bench in turn, each in a process of its own: `python -m bench` (or `make bench`)."""

from __future__ import annotations

import subprocess
import sys

BENCHES = (
    "ingest",
    "closing",
    "flows",
    "decide",
    "learn",
    "ope",
    "intent",
    "uplift",
    "conditions",
    "insights",
    "viewer",
    "sdk",
)


def main() -> int:
    """Runs them; returns 1 when one of them could not end."""
    failed = []
    for name in BENCHES:
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]]).returncode:
            failed.append(name)
    if failed:
        print(f"\nDid not end: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
