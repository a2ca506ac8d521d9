"""What a parser may be sent: any JSON, and good messages in which one value was replaced."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

DEEP = 1_000
HUGE = 10**400

TIMES = [
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00+14:00",
    "2026-11-21T08:00:00",
    "2026-W47-6",
    "24:00",
    0,
    -1,
    1e300,
    253402300799999,
    2**63,
]
TEXTS = ["\x00", "a\x00b", "\ud800", "x\udfff", "\U0010ffff", "", " ", "NaN", "1e999999999", "٣", "null", "x" * 5_000]
NUMBERS = [float("nan"), float("inf"), float("-inf"), HUGE, -HUGE, 2**53 + 1, -(2**63) - 1, -0.0, 1e-320, 1e308]


def deep(levels: int = DEEP) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


hostile = st.one_of(
    st.sampled_from([*TIMES, *TEXTS, *NUMBERS, None, True, False, [], {}, [None], {"": None}, {"\x00": "\ud800"}]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.builds(deep, st.sampled_from([17, 100, 900])),
)
"""One value that somebody might send in place of a good one."""

any_json = st.recursive(
    hostile,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def spoiled(samples: list[Any]) -> st.SearchStrategy[Any]:
    """One of ``samples`` with up to three of its values replaced or left out."""
    return st.builds(
        _spoil,
        st.sampled_from(samples),
        st.lists(st.tuples(st.integers(0, 10_000), hostile, st.booleans()), min_size=1, max_size=3),
    )


def _spoil(sample: Any, changes: list[tuple[int, Any, bool]]) -> Any:
    whole = copy.deepcopy(sample)
    for which, value, leave_out in changes:
        places = list(_places(whole))
        if places:
            replace, remove = places[which % len(places)]
            remove() if leave_out else replace(_fresh(value))
    return whole


def _fresh(value: Any) -> Any:
    # The next change may reach into what this one put there; the deep ones are left as they are.
    return copy.copy(value) if isinstance(value, list | dict) else value


def _places(value: Any) -> Any:
    """A way to replace, and one to remove, each value inside ``value``."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list) and value and not isinstance(value[0], list):
        items = list(enumerate(value))
    for key, inner in items:
        yield _setter(value, key), _remover(value, key)
        yield from _places(inner)


def _setter(holder: Any, key: Any) -> Callable[[Any], None]:
    return lambda new: holder.__setitem__(key, new)


def _remover(holder: Any, key: Any) -> Callable[[], None]:
    return lambda: holder.__delitem__(key) if isinstance(holder, dict) else holder.__setitem__(key, None)


def as_body(value: Any) -> bytes:
    """JSON as a careless sender writes it: NaN, half characters and all."""
    return json.dumps(value).encode()
