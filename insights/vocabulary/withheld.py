"""What stands in the place of a policy's name where nothing of what was chosen was shown."""

from __future__ import annotations

from typing import Final

HOLDOUT: Final = "holdout"
"""The visitor is held out: whatever was chosen, they get nothing."""

NO_ROOM: Final = "no_room"
"""What the chosen action needs (budget, code) could not be set aside any more."""

WITHHELD: Final = (HOLDOUT, NO_ROOM)
"""No policy learns from these or is judged by them: that nothing was shown was nobody's choice."""
