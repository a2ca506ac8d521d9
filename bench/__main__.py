"""Runs every bench: `python -m bench` (or `make bench`)."""

from __future__ import annotations

from bench import ingest

if __name__ == "__main__":
    ingest.main()
