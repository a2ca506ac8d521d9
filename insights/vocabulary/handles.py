"""Handles: what a project calls its channels, segments and messages, and names them by in flows and conditions."""

from __future__ import annotations

import re
from typing import Final

HANDLE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
