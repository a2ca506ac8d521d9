"""Says what a role includes: an admin may do what an editor may, an editor what a reader may."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody may do in a project.

    reader: looks at everything except keys, members and what was changed. editor: besides, changes what the shop does
    and reports events. admin: besides, keys, members, privacy and the project itself.
    """

    READER = "reader"
    EDITOR = "editor"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether whoever has this role may do what ``other`` may."""
        return _RANK[self] >= _RANK[other]


_RANK: Final = {Role.READER: 1, Role.EDITOR: 2, Role.ADMIN: 3}
