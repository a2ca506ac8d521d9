"""Where the viewer's own requests to the API say who asks: in the scope, which nothing from the wire can write."""

from __future__ import annotations

from typing import Final

CALLER: Final = "whyleft.caller"
"""Key of the scope; its value is a ResolvedKey."""
