"""How deep the JSON of a body may be: the same on every Python, whose own limits differ. Pure."""

from __future__ import annotations

import pytest

from insights.errors import Refused
from insights.events.json_body import MOST_LEVELS, parsed


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}"), (b'{"a":null,"b":', b"}")])
def test_a_body_is_read_to_so_many_levels_and_no_deeper(opens: bytes, closes: bytes) -> None:
    parsed(opens * MOST_LEVELS + b"1" + closes * MOST_LEVELS)
    for levels in (MOST_LEVELS + 1, 1_000, 9_000, 200_000):
        with pytest.raises(Refused, match="nested too deeply"):
            parsed(opens * levels + b"1" + closes * levels)
