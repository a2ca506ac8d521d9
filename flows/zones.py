"""Time zones by the names that browsers give them. Pure."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

RENAMED: Final = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Catamarca": "America/Argentina/Catamarca",
    "America/Coral_Harbour": "America/Atikokan",
    "America/Cordoba": "America/Argentina/Cordoba",
    "America/Godthab": "America/Nuuk",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "America/Jujuy": "America/Argentina/Jujuy",
    "America/Louisville": "America/Kentucky/Louisville",
    "America/Mendoza": "America/Argentina/Mendoza",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Europe/Kiev": "Europe/Kyiv",
    "Pacific/Enderbury": "Pacific/Kanton",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}
"""Old name → today's, of the zones that Chrome and Safari still call by the old one, whatever the system's clock is set
to: the Unicode CLDR never changes an identifier. Newer systems know the old ones by an extra package only."""


def zone(name: object) -> ZoneInfo | None:
    """The zone of that name, by today's name, if there is one; a browser may have sent anything."""
    if not isinstance(name, str):
        return None
    for known_as in (RENAMED.get(name, name), name):
        try:
            return ZoneInfo(known_as)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return None
