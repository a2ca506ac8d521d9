"""What tests need of the machine: where it is missing they are skipped, and on CI they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(advice: str) -> NoReturn:
    """Ends the test. ``advice``: what is missing, and how to get it."""
    if os.environ.get("CI"):
        pytest.fail(advice)
    pytest.skip(advice)
