"""Finds the browser that the tests drive."""

from __future__ import annotations

import os
import shutil

from tests.needed import missing

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The SDK flags robots, and the server shows them nothing: this one has to pass for a person.
    "--disable-blink-features=AutomationControlled",
]
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""A user agent without the word headless."""


def chromium_path() -> str:
    """The system's Chromium. Without one the test is skipped with the way to get it; on CI it fails."""
    named = os.environ.get("WHYLEFT_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium is missing: install it (Debian: apt install chromium), or set WHYLEFT_CHROMIUM to its path.")
    return found
