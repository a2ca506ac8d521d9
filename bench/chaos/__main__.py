"""`python -m bench.chaos NAME [--long] [--json]`."""

from __future__ import annotations

import sys

from bench.chaos import flows, ingest

BENCHES = {"ingest": ingest.main, "flows": flows.main}

if __name__ == "__main__":
    name = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if name not in BENCHES:
        sys.exit(f"bench.chaos: say which: {', '.join(BENCHES)}.")
    BENCHES[name]()
