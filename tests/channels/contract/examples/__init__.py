"""One example a kind: what it is set up with, what it sends, and what its provider answers, from the public reference.

Every kind of the registry must have one; a test says which are missing.
"""

from __future__ import annotations

from typing import Final

from tests.channels.contract.examples import ads, customers, email, push, sms, work
from tests.channels.contract.examples.example import Example

EXAMPLES: Final[dict[str, Example]] = {
    example.kind: example for room in (email, sms, push, work, ads, customers) for example in room.EXAMPLES
}
