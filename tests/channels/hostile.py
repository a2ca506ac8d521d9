"""What nobody means to hand to a channel, and somebody will: any JSON."""

from __future__ import annotations

from hypothesis import strategies as st

HOSTILE: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
