"""The ways in which one recipient may be written where it is looked up: on the list of who is not written to.

Shops' systems and providers name people as these typed themselves; messages go to the address as networks take it.
Pure.
"""

from __future__ import annotations

import contextlib

from adapters.channels.mail import MailInvalid, address
from adapters.channels.phone import PhoneInvalid, e164


def spellings(said: str) -> list[str]:
    """What was said, in lower case too, and as a message would be addressed: the domain in punycode, the number in
    E.164. Sorted."""
    ways = {said, said.lower()}
    # Neither: an id of a device, or nothing that is ever written to.
    with contextlib.suppress(MailInvalid, PhoneInvalid):
        ways.add(address(said).lower() if "@" in said else e164(said))
    return sorted(ways)
